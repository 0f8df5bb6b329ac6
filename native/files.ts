/** The synchronous part of `node:fs` that plugins use, by system calls through the addon. The build puts this module in the
 *  place of `node:fs` for the code that runs in each exec (bin/bundle.ts), where loading node:fs costs 1 ms and 6 MiB
 *  (measured); under Node, and in the command line, the real one is used. Names, arguments, results and errors are those
 *  of Node 20's documentation; what no plugin uses is not here, and a build that needs it fails. */
export { constants } from './file-constants.ts'
export * from './file-io.ts'
export * from './file-stat.ts'
export * from './file-tree.ts'
