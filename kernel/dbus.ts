/** A connection to the system bus: synchronous, one call at a time. D-Bus Specification, "Authentication Protocol". */
import { closeSync, readSync, writeSync } from 'node:fs'
import { CniError, ERR_KERNEL, ERR_TRY_AGAIN } from '../cni/error.ts'
import { addon } from '../native/addon.ts'
import {
  type Answer,
  decodeAnswer,
  ERROR,
  encodeCall,
  HEADER_SIZE,
  METHOD_RETURN,
  type MethodCall,
  messageLength,
} from './dbus-message.ts'

export interface Bus {
  /** The first value of the answer. @throws DbusError what the other side refuses; CniError 11 when none comes in 5 s */
  readonly call: (call: MethodCall) => Answer['value']
  readonly close: () => void
}

/** What is thrown for an ERROR answer: `message` is its text, the D-Bus error name in `details`. */
const refusal = ({ errorName, value }: Answer): CniError =>
  new CniError(ERR_KERNEL, String(value ?? errorName), errorName)

const DEFAULT_ADDRESS = 'unix:path=/run/dbus/system_bus_socket'

/** The path of the first unix socket in an address such as `unix:path=/run/x,guid=1;tcp:...`; undefined when there is
 *  none. D-Bus Specification, "Server Addresses". */
export const socketPath = (address: string): string | undefined => {
  const paths = address.split(';').map((each) => /^unix:(?:.*,)?path=([^,]*)/.exec(each)?.[1])
  const path = paths.find((each) => each !== undefined)
  return path?.replaceAll(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

const writeAll = (fd: number, bytes: Uint8Array): void => {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
}

const isTimeout = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'EAGAIN'

/** Fills `bytes` from `at`; the socket gives up after 5 seconds. */
const readOn = (fd: number, bytes: Uint8Array, at: number): number => {
  try {
    const count = readSync(fd, bytes, at, bytes.length - at, null)
    if (count > 0) return count
  } catch (error) {
    if (!isTimeout(error)) throw error
    throw new CniError(ERR_TRY_AGAIN, 'no answer on the D-Bus system bus in 5 seconds', 'is firewalld busy or stopped?')
  }
  throw new CniError(ERR_TRY_AGAIN, 'the D-Bus system bus closed the connection', 'it may be restarting')
}

const readExactly = (fd: number, bytes: Uint8Array, from: number): Uint8Array => {
  for (let at = from; at < bytes.length; ) at += readOn(fd, bytes, at)
  return bytes
}

const readMessage = (fd: number): Answer => {
  const header = readExactly(fd, new Uint8Array(HEADER_SIZE), 0)
  const message = new Uint8Array(messageLength(header))
  message.set(header)
  return decodeAnswer(readExactly(fd, message, HEADER_SIZE))
}

const readLine = (fd: number): string => {
  let line = ''
  const byte = new Uint8Array(1)
  while (!line.endsWith('\r\n') && line.length < 1000) line += String.fromCharCode(readExactly(fd, byte, 0)[0] ?? 0)
  return line.trimEnd()
}

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)

/** EXTERNAL: the socket's peer credentials are the proof; what is sent is the user's number, in hexadecimal digits. */
const authenticate = (fd: number): void => {
  const user = Array.from(String(process.getuid?.() ?? 0), (digit) => `3${digit}`).join('')
  writeAll(fd, ascii(`\0AUTH EXTERNAL ${user}\r\n`))
  const answer = readLine(fd)
  if (!answer.startsWith('OK '))
    throw new CniError(ERR_KERNEL, `the D-Bus system bus refused this user: ${answer}`, 'podwire must run as root')
  writeAll(fd, ascii('BEGIN\r\n'))
}

const busOn = (fd: number): Bus => {
  let serial = 0
  const call = (method: MethodCall): Answer['value'] => {
    serial += 1
    writeAll(fd, encodeCall(method, serial))
    for (;;) {
      const answer = readMessage(fd)
      if (answer.replySerial !== serial) continue
      if (answer.type === ERROR) throw refusal(answer)
      if (answer.type === METHOD_RETURN) return answer.value
    }
  }
  return { call, close: () => closeSync(fd) }
}

const BUS = { destination: 'org.freedesktop.DBus', path: '/org/freedesktop/DBus', interface: 'org.freedesktop.DBus' }
/** A method of the bus itself. */
export const busMethod = (member: string, ...args: readonly string[]): MethodCall => ({ ...BUS, member, args })

const connect = (path: string): number | undefined => {
  try {
    return addon().connectUnix(path)
  } catch {
    return undefined
  }
}

/** A connection to the system bus, at DBUS_SYSTEM_BUS_ADDRESS where that is set; undefined when there is none.
 *  @throws CniError 102 when it refuses this user, 11 when it does not answer */
export const openBus = (): Bus | undefined => {
  const path = socketPath(process.env.DBUS_SYSTEM_BUS_ADDRESS || DEFAULT_ADDRESS)
  const fd = path === undefined ? undefined : connect(path)
  if (fd === undefined) return undefined
  try {
    authenticate(fd)
    const bus = busOn(fd)
    bus.call(busMethod('Hello'))
    return bus
  } catch (error) {
    closeSync(fd)
    throw error
  }
}
