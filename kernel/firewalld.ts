/** Fact: an address belongs to a zone of firewalld, in its running configuration. firewalld.dbus(5),
 *  `org.fedoraproject.FirewallD1.zone`. */
import type { Cidr } from '../addr/cidr.ts'
import { quote } from '../addr/error.ts'
import { CniError, ERR_KERNEL, ERR_UNAVAILABLE } from '../cni/error.ts'
import { type Bus, busMethod, openBus } from './dbus.ts'
import type { MethodCall } from './dbus-message.ts'
import type { Operations } from './plan.ts'

export interface FirewalldSourceFact {
  readonly kind: 'firewalld-source'
  readonly zone: string
  /** Of full length: one pod. */
  readonly source: Cidr
}

const SERVICE = 'org.fedoraproject.FirewallD1'

const zoneMethod = (member: string, { zone, source }: FirewalldSourceFact): MethodCall => ({
  destination: SERVICE,
  path: '/org/fedoraproject/FirewallD1',
  interface: `${SERVICE}.zone`,
  member,
  args: [zone, source],
})

/** Runs `use` with a connection to firewalld; undefined when it does not run. */
const withFirewalld = <T>(use: (bus: Bus) => T): T | undefined => {
  const bus = openBus()
  if (bus === undefined) return undefined
  try {
    return bus.call(busMethod('NameHasOwner', SERVICE)) === true ? use(bus) : undefined
  } finally {
    bus.close()
  }
}

/** Whether firewalld is on the system bus. A bus that refuses us has none for us. */
export const isFirewalldRunning = (): boolean => {
  try {
    return withFirewalld(() => true) ?? false
  } catch {
    return false
  }
}

/** firewalld's own codes, which begin the text of its errors. */
const says = (error: unknown, ...codes: readonly string[]): boolean =>
  error instanceof CniError && codes.some((code) => error.message.startsWith(code))

const refused = (fact: FirewalldSourceFact, error: unknown): CniError =>
  error instanceof CniError && error.code === ERR_KERNEL
    ? new CniError(ERR_KERNEL, `firewalld refused ${fact.source} in zone ${quote(fact.zone)}: ${error.message}`, '', {
        cause: error,
      })
    : (error as CniError)

const notRunning = (): never => {
  throw new CniError(
    ERR_UNAVAILABLE,
    'firewalld is not running on this node',
    'start it (systemctl start firewalld), or choose another "backend"',
  )
}

/** Adds the source; one that is in another zone, left there by a pod that had the address before, is moved. */
const addSource = (fact: FirewalldSourceFact, bus: Bus): boolean => {
  try {
    bus.call(zoneMethod('addSource', fact))
    return true
  } catch (error) {
    if (says(error, 'ZONE_ALREADY_SET')) return false
    if (!says(error, 'ZONE_CONFLICT')) throw refused(fact, error)
    bus.call(zoneMethod('changeZoneOfSource', fact))
    return true
  }
}

const ensure = (fact: FirewalldSourceFact): boolean => withFirewalld((bus) => addSource(fact, bus)) ?? notRunning()

/** A firewalld that does not run, or was reloaded, holds none. */
const remove = (fact: FirewalldSourceFact): void => {
  withFirewalld((bus) => {
    try {
      bus.call(zoneMethod('removeSource', fact))
    } catch (error) {
      if (!says(error, 'UNKNOWN_SOURCE', 'ZONE_CONFLICT', 'INVALID_ZONE', 'NOT_ENABLED')) throw refused(fact, error)
    }
  })
}

const drift = (fact: FirewalldSourceFact): string | undefined => {
  const found = withFirewalld((bus) => {
    try {
      return bus.call(zoneMethod('querySource', fact)) === true
    } catch (error) {
      if (says(error, 'INVALID_ZONE')) return false
      throw refused(fact, error)
    }
  })
  if (found === undefined) return 'firewalld is not running'
  return found ? undefined : `${fact.source} is not a source of firewalld's zone ${quote(fact.zone)}`
}

export const firewalldOperations: Operations<FirewalldSourceFact> = {
  render: ({ zone, source }) => `firewall-cmd --zone=${zone} --add-source=${source}`,
  ensure,
  remove,
  drift,
}
