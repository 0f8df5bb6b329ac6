/** What runs in the pods of the demo. `serve NAME`: answers each line on port 80 with NAME and the address it came from,
 *  and streams zeros from port 81 for as long as somebody reads. `ask HOST PORT`: prints the answer. `pull HOST SECONDS`:
 *  reads from port 81 and prints bits per second. */
import { connect, createServer, type Socket } from 'node:net'

const ANSWERS = 80
const STREAM = 81
const CHUNK = new Uint8Array(65536)
/** The bucket's first burst and TCP's slow start are over by then. */
const WARM_UP_MS = 500

const plain = (address = ''): string => address.replace(/^::ffff:/, '')

const pour = (socket: Socket): void => {
  socket.on('error', () => socket.destroy())
  const fill = (): void => {
    while (socket.writable && socket.write(CHUNK));
  }
  socket.on('drain', fill)
  fill()
}

const serve = (name: string): void => {
  const answers = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.end(`${name} ${plain(socket.remoteAddress)}\n`)
  })
  answers.listen(ANSWERS, '::', () => createServer(pour).listen(STREAM, '::', () => console.log('ready')))
}

const ask = (host: string, port: number): void => {
  const socket = connect({ host, port, timeout: 2000 })
  socket.on('data', (data) => process.stdout.write(data))
  socket.on('timeout', () => socket.destroy(new Error(`no answer from ${host} port ${port} in 2 s`)))
  socket.on('error', (error) => {
    console.error(error.message)
    process.exitCode = 1
  })
}

const pull = (host: string, seconds: number): void => {
  const socket = connect({ host, port: STREAM })
  let bytes = 0
  socket.on('data', (data) => {
    bytes += data.length
  })
  setTimeout(() => {
    const start = performance.now()
    bytes = 0
    setTimeout(() => {
      console.log(Math.round((bytes * 8 * 1000) / (performance.now() - start)))
      process.exit()
    }, seconds * 1000)
  }, WARM_UP_MS)
}

const [, , role, first = '', second = ''] = process.argv
if (role === 'serve') serve(first)
else if (role === 'ask') ask(first, Number(second))
else pull(first, Number(second))
