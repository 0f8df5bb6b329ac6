/** `podwire agent --print-config`: what is in force and where it came from, without secrets. */
import type { OptionValue } from './option-table.ts'
import type { Setting } from './options.ts'

const MASK = '********'

const shownValue = ({ spec, value }: Setting): OptionValue => (spec.secret && value !== '' ? MASK : value)

const asText = (value: OptionValue): string => {
  if (typeof value === 'string') return value === '' ? '-' : value
  if (typeof value === 'object') return value.length === 0 ? '-' : value.join(' ')
  return String(value)
}

/** Rows of option, value, source. */
export const settingRows = (settings: readonly Setting[]): readonly (readonly string[])[] =>
  settings.map((setting) => [setting.spec.key, asText(shownValue(setting)), setting.source])

/** The same by key: `{"store": {"value": "file", "source": "default"}, ...}`. */
export const settingsJson = (settings: readonly Setting[]): string =>
  `${JSON.stringify(
    Object.fromEntries(
      settings.map((setting) => [setting.spec.key, { value: shownValue(setting), source: setting.source }]),
    ),
    null,
    2,
  )}\n`
