/**
 * Delivers one mail as a mail server would: to the best MX of the recipient's domain, on port 25, in the clear.
 * Reads {from, to, raw, mx?} as JSON from standard input, prints {ok, reply, mx, connectMs, totalMs} as JSON.
 */

import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { createTransport } from 'nodemailer'

type Order = { from: string; to: string; raw: string; mx?: string }

const order = JSON.parse(await text(process.stdin)) as Order
const resolver = new Resolver({ timeout: 2_000, tries: 2 })
const start = performance.now()
let mx = order.mx
let connectMs: number | undefined
try {
  mx ??= await bestExchanger(order.to.split('@')[1] ?? '')
  const [address = ''] = await resolver.resolve4(mx)
  const beforeConnect = performance.now()
  const connection = connect(25, address)
  await once(connection, 'connect', { signal: AbortSignal.timeout(4_000) })
  connectMs = performance.now() - beforeConnect
  const transport = createTransport({ host: mx, connection, ignoreTLS: true, greetingTimeout: 5_000, socketTimeout: 15_000 })
  const sent = await transport.sendMail({ envelope: { from: order.from, to: order.to }, raw: order.raw })
  finish(true, sent.response)
} catch (error) {
  const { response, message } = error as Error & { response?: string }
  finish(false, response ?? message)
}

function finish(ok: boolean, reply: string): never {
  console.log(JSON.stringify({ ok, reply, mx, connectMs, totalMs: performance.now() - start }))
  process.exit()
}

async function bestExchanger(domain: string): Promise<string> {
  const records = await resolver.resolveMx(domain)
  const best = records.sort((a, b) => a.priority - b.priority)[0]
  if (best === undefined) throw new Error(`${domain} has no MX record`)
  return best.exchange
}
