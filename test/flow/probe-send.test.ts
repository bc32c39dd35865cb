import { describe, expect, it, onTestFinished } from 'vitest'
import { systemRuntime } from '../../common/runtime.ts'
import { createAddressPolicy } from '../../common/smtp/address-policy.ts'
import type { MailResolver } from '../../common/smtp/mx.ts'
import type { Target } from '../../common/wire/test.ts'
import { createCourier, type SendingOutcome } from '../../probe/send.ts'
import { jobOrder } from '../../probe/trip.ts'
import { Installation } from '../support/installation.ts'
import { testPlan, uuidOf } from '../support/plans.ts'
import { enrolledIdentity, temporaryDirectory } from '../support/probe-parts.ts'
import { acceptingScript, type Step, scriptServer } from '../support/smtp-script-server.ts'

const loopback = '127.0.0.1'
const fault = (code: string) => Promise.reject(Object.assign(new Error(code), { code }))
/** A DNS in which customer.example has one mail server, on loopback. */
const zone: MailResolver = {
  resolveMx: async (domain) =>
    domain === 'customer.example' ? [{ exchange: 'mx.customer.example', priority: 10 }] : fault('ENOTFOUND'),
  resolve4: async (host) => (host === 'mx.customer.example' ? [loopback] : fault('ENOTFOUND')),
  resolve6: () => fault('ENODATA'),
}

async function send(target: Target, options: { resolver?: MailResolver; allowed?: string[]; budgetMs?: number } = {}) {
  const directory = temporaryDirectory()
  onTestFinished(directory.remove)
  const identity = enrolledIdentity(new Installation(), directory.path, systemRuntime.wallMs())
  const policy = createAddressPolicy(options.allowed ?? ['127.0.0.0/8'])
  const courier = createCourier({ runtime: systemRuntime, identity, resolver: options.resolver ?? zone, policy })
  const order = jobOrder(uuidOf(3), { id: uuidOf(4), cause: 'test_now', plan: testPlan({ target }) })
  const startedAt = { wallMs: systemRuntime.wallMs(), monotonicMs: systemRuntime.monotonicMs() }
  return await courier.send(order, startedAt, { budgetMs: options.budgetMs ?? 10_000, signal: new AbortController().signal })
}

const address = 'scout@customer.example'
const failureOf = (outcome: SendingOutcome) => (outcome.kind === 'failed' ? outcome.failure : undefined)

describe('an attempt to send', () => {
  it('goes to the mail server of the domain, with one stable sender and a HELO of its domain', async () => {
    await using server = await scriptServer(acceptingScript())
    const outcome = await send({ address, port: server.port })
    expect(outcome).toMatchObject({ kind: 'sent', sent: { detail: { mx: 'mx.customer.example', address: loopback } } })
    expect(server.received[0]).toBe('EHLO eu.probe.example')
    expect(server.received[1]).toMatch(/^MAIL FROM:<rt@eu\.probe\.example>/)
    expect(server.received[2]).toMatch(/^RCPT TO:<scout@customer\.example>/)
  })

  const rcpt = (say: string): Step[] => acceptingScript({ rcpt: { expect: /^RCPT/, say } }).slice(0, 4)
  it.each<[what: string, script: Step[], outcome: string, permanent: boolean]>([
    ['an unknown user', rcpt('550 5.1.1 no such user'), 'refused', true],
    ['a relay that is denied', rcpt('554 5.7.1 Relay access denied'), 'refused', true],
    ['a blocklist', rcpt('554 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org'), 'blocked', true],
    ['greylisting', rcpt('450 4.2.0 Greylisted, come back later'), 'deferred', false],
    ['a poor reputation for now', rcpt('421 4.7.0 low reputation of the sending IP'), 'blocked', false],
    ['a greeting of 554', [{ say: '554 5.3.2 no service here' }], 'refused', true],
    ['a greeting of 421', [{ say: '421 4.3.2 shutting down' }], 'deferred', false],
    ['a server that hangs up', [{ say: '220 mx', close: 'end' }], 'unreachable', false],
    ['a server that speaks something else', [{ raw: 'SSH-2.0-OpenSSH_9.2\r\n' }], 'unreachable', false],
  ])('fails by %s', async (_, script, outcome, permanent) => {
    await using server = await scriptServer(script)
    const failure = failureOf(await send({ address, port: server.port }))
    expect(failure).toMatchObject({ outcome, permanent, detail: { address: loopback } })
    expect(failure?.detail.reason).not.toBe('')
  })

  it('fails by TLS where TLS is required and not offered', async () => {
    await using server = await scriptServer(acceptingScript())
    expect(failureOf(await send({ address, port: server.port, tls: 'required' }))).toMatchObject({
      outcome: 'tls',
      permanent: false,
    })
  })

  it('ends with its budget when the server says nothing', async () => {
    await using server = await scriptServer([{ stall: true }])
    const failure = failureOf(await send({ address, port: server.port }, { budgetMs: 200 }))
    expect(failure).toMatchObject({ outcome: 'unreachable', detail: { stage: 'banner' } })
  })

  it('counts as sent when the answer to the final dot is lost', async () => {
    await using server = await scriptServer(acceptingScript({ accept: { expect: /^/, close: 'end' } }))
    expect(await send({ address, port: server.port })).toMatchObject({ kind: 'sent', sent: { detail: { stage: 'accept' } } })
  })

  it.each<[what: string, resolver: Partial<MailResolver>, permanent: boolean]>([
    ['the domain does not exist', { resolveMx: () => fault('ENOTFOUND') }, true],
    ['the domain takes no mail', { resolveMx: async () => [{ exchange: '', priority: 0 }] }, true],
    ['no mail server has an address', { resolve4: () => fault('ENODATA') }, true],
    ['DNS does not answer', { resolveMx: () => fault('ETIMEOUT') }, false],
  ])('fails by DNS when %s', async (_, changes, permanent) => {
    const failure = failureOf(await send({ address }, { resolver: { ...zone, ...changes } }))
    expect(failure).toMatchObject({ outcome: 'dns', permanent })
  })

  it('is not made to an address that is no target', async () => {
    const failure = failureOf(await send({ address }, { allowed: [] }))
    expect(failure).toMatchObject({ outcome: 'not_run', permanent: true })
    expect(failure?.detail.reason).toContain('this machine itself')
  })
})
