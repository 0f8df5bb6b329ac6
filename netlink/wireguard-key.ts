/** Keys of WireGuard, 32 bytes each (private, public, preshared), as `wg` writes them: base64. */

const KEY_BYTES = 32
/** 43 digits and the padding; the last digit has two bits that belong to no byte and are zero. RFC 4648 §3.5. */
const KEY = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/

/** Whether `text` is a key in the one way `wg` writes it. */
export const isWireguardKey = (text: string): boolean => KEY.test(text)

/** The 32 bytes of a key that `isWireguardKey` holds of. */
export const keyBytes = (key: string): Uint8Array => {
  const text = atob(key)
  const bytes = new Uint8Array(KEY_BYTES)
  for (let i = 0; i < KEY_BYTES; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}

/** The key that 32 bytes are. */
export const keyOf = (bytes: Uint8Array): string => {
  let text = ''
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i] ?? 0)
  return btoa(text)
}

/** What unsets a key: 32 zero bytes. */
export const NO_KEY = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='

/** Whether these are the zeros that the kernel shows where no key is set. */
export const isNoKey = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0)
