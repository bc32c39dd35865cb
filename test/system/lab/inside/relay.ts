/** Carries connections from a Unix socket, which every network namespace can reach, to a TCP port of this one. */
import { connect, createServer } from 'node:net'

const [socketPath, host, port] = process.argv.slice(2) as [string, string, string]

createServer((near) => {
  const far = connect(Number(port), host)
  near.pipe(far).pipe(near)
  near.on('error', () => far.destroy())
  far.on('error', () => near.destroy())
}).listen(socketPath, () => console.log(`relaying to ${host}:${port}`))
