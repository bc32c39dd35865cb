/**
 * Carries connections between a Unix socket, which every network namespace can reach, and a TCP port of this one.
 * Arguments: where it listens (a path or a port), where it connects to (a path or HOST:PORT).
 */
import { connect, createServer } from 'node:net'

const [from, to] = process.argv.slice(2) as [string, string]
const target = to.startsWith('/') ? { path: to } : { host: to.split(':')[0] ?? '', port: Number(to.split(':')[1]) }

createServer((near) => {
  const far = connect(target)
  near.pipe(far).pipe(near)
  near.on('error', () => far.destroy())
  far.on('error', () => near.destroy())
  // A side that goes while the other still sends would leave that one waiting for ever.
  near.on('close', () => far.destroySoon())
  far.on('close', () => near.destroySoon())
}).listen(from.startsWith('/') ? { path: from } : { port: Number(from) }, () => console.log(`relaying to ${to}`))
