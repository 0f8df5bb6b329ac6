/** Greatest values of numbers on the wire. */

/** 24 bits. RFC 7348 §5. */
export const MAX_VNI = 2 ** 24 - 1
export const MAX_PORT = 65535
