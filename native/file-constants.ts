/** Flags of open(2) and access(2). asm-generic/fcntl.h; arm64 numbers four of them otherwise (arch/arm64 uapi/asm/fcntl.h). */
const isArm = process.arch === 'arm64'

export const constants = {
  F_OK: 0,
  X_OK: 1,
  W_OK: 2,
  R_OK: 4,
  O_RDONLY: 0,
  O_WRONLY: 1,
  O_RDWR: 2,
  O_CREAT: 0o100,
  O_EXCL: 0o200,
  O_NOCTTY: 0o400,
  O_TRUNC: 0o1000,
  O_APPEND: 0o2000,
  O_NONBLOCK: 0o4000,
  O_DSYNC: 0o10000,
  O_DIRECT: isArm ? 0o200000 : 0o40000,
  O_DIRECTORY: isArm ? 0o40000 : 0o200000,
  O_NOFOLLOW: isArm ? 0o100000 : 0o400000,
  O_NOATIME: 0o1000000,
  O_SYNC: 0o4010000,
} as const

/** Not among Node's: every descriptor is closed by exec, as in Node. */
export const O_CLOEXEC = 0o2000000
