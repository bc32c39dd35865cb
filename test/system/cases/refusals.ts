/** What comes from outside and is not what it pretends to be: it is refused with a reason, and nothing else happens. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createKeyPair, type KeyPair, loadOrCreateKeyPair } from '../../../common/wire/keys.ts'
import type { Problem } from '../lab/api.ts'
import { useLab, useMailscout } from '../lab/current.ts'
import { forgeReturnedMail, forgeTestMail } from '../lab/forgery.ts'
import { plainMail, sendMail } from '../lab/mail.ts'
import { attackerDomain, type Mailscout, returnAddress } from '../lab/mailscout.ts'
import { until } from '../lab/until.ts'
import type { Watched } from '../lab/watched.ts'

const lab = useLab()
const attacker = `mallory@${attackerDomain}`
const arrivesWithinMs = 60_000

/** As anybody on the Internet may: to the customer's mail server, under his own name. */
async function deliver(to: string, raw: string): Promise<void> {
  const { ok, reply } = await sendMail(lab.host('infra'), { from: attacker, to, raw })
  assert.ok(ok, reply)
}

describe('mail that is not genuine', { concurrency: true }, () => {
  let mailscout: Mailscout
  let root: KeyPair
  before(async () => {
    mailscout = await useMailscout()
    root = loadOrCreateKeyPair(join(mailscout.coordinatorDirectory, 'keys/root.pem'))
  })
  after(async () => {
    assert.deepEqual(mailscout.parts.attacker.mails(), [], 'nothing has ever been sent to the attacker')
    assert.ok(!lab.customer.log().includes(`to=<${attacker}>`), 'and nothing was tried')
    await mailscout.unwatchAll()
  })

  test('a test mail under a root key of somebody else gets no answer', async () => {
    const guarded = await mailscout.watch('forged-root')
    await deliver(guarded.address, forgeTestMail({ root: createKeyPair(), from: attacker, to: guarded.address }).raw)
    assert.equal((await ignored(guarded)).reason, 'not_genuine')
  })

  test('a genuine chain of keys whose return address is not pinned gets no answer', async () => {
    const guarded = await mailscout.watch('unpinned')
    const { tid, raw } = forgeTestMail({ root, from: attacker, to: guarded.address })
    await deliver(guarded.address, raw)
    assert.equal((await ignored(guarded, tid)).reason, 'return_domain_not_pinned')
  })

  test('a token that was changed gets no answer', async () => {
    const guarded = await mailscout.watch('changed')
    const { token, raw } = forgeTestMail({ root, from: returnAddress('eu'), to: guarded.address })
    const [certificate = '', words = ''] = token.split('~')
    const [header = '', payload = '', signature = ''] = words.split('.')
    const claims = { ...(JSON.parse(Buffer.from(payload, 'base64url').toString()) as object), ret: attacker }
    const changed = Buffer.from(JSON.stringify(claims)).toString('base64url')
    const forged = `X-Mailscout-Token: ${certificate}~${header}.${changed}.${signature}`
    await deliver(guarded.address, withoutTokens(raw).replace('\r\n\r\n', `\r\n${folded(forged)}\r\n\r\n`))
    assert.equal((await ignored(guarded)).reason, 'not_genuine')
  })

  test('a plain mail gets no answer, and is not even noted', async () => {
    const guarded = await mailscout.watch('plain', { forward: 'keep' })
    await guarded.awaitUp()
    const noted = guarded.journal().length
    await deliver(guarded.address, plainMail(attacker, guarded.address, 'hello'))
    await until('the copy', () => guarded.on.mails('plain').some((mail) => mail.includes('Subject: hello')), {
      withinMs: arrivesWithinMs,
    })
    const since = guarded.journal().slice(noted)
    assert.ok(
      since.every(({ msg }) => msg === 'answered'),
      JSON.stringify(since),
    )
  })

  test('a genuine mail that comes again is answered with its first stamp to its own probe, and changes nothing', async () => {
    const guarded = await mailscout.watch('replayed', { forward: 'keep' })
    const other = await mailscout.watch('elsewhere', { responder: { addresses: ['elsewhere@customer.test'] } })
    await guarded.awaitUp()
    const raw = guarded.on.mails('replayed')[0] ?? ''
    const tid = /^Test: (\S+)/m.exec(raw)?.[1] ?? 'no test id'
    const before = await guarded.until('its result', arrivesWithinMs, async () =>
      (await guarded.results()).find(({ id, outcome }) => id === tid && outcome === 'ok'),
    )
    // Postfix refuses a mail that it has delivered to this address before; somebody who replays takes that away.
    const captured = raw.replace(/^(Delivered-To|X-Original-To|Return-Path): .*\n/gm, '')
    await deliver(guarded.address, captured)
    await deliver(other.address, captured)
    await until('the second answer', () => guarded.journal().some((entry) => entry.tid === tid && entry.repeated === true), {
      withinMs: arrivesWithinMs,
    })
    assert.equal((await ignored(other, tid)).reason, 'other_recipient')
    await guarded.awaitUp()
    assert.deepEqual(
      (await guarded.results()).filter(({ id }) => id === tid),
      [before],
    )
    assert.deepEqual(await guarded.incidents(), [])
  })

  test('a genuine mail out of its time is answered to its pinned return address, and its clock is named suspect', async () => {
    const guarded = await mailscout.watch('expired')
    const yesterday = Date.now() - 86_400_000
    const { tid, raw } = forgeTestMail({ root, from: returnAddress('us'), to: guarded.address, atMs: yesterday })
    await deliver(guarded.address, raw)
    const entry = await until('the answer', () => guarded.journal().find((line) => line.tid === tid), {
      withinMs: arrivesWithinMs,
    })
    assert.deepEqual([entry.msg, entry.clock_suspect], ['answered', true])
  })

  test('returned mails that a probe did not get from a responder prove nothing', async () => {
    const user = 'expectant'
    const guarded = await mailscout.watch(user)
    await guarded.awaitUp()
    lab.customer.hold(user)
    const inbox = returnAddress('eu')
    const held = await guarded.until('a mail from eu to be on its way', 60_000, async () =>
      (await lab.customer.held(user)).find(({ sender }) => sender === inbox),
    )
    const messageId = new RegExp(`${held.queueId}: message-id=<((\\S+)@eu\\.probe\\.test)>`)
    const [, mid = '', tid = ''] = await guarded.until('its name', 5_000, () => messageId.exec(lab.customer.log()) ?? undefined)
    const answer = forgeReturnedMail({ root: createKeyPair(), from: guarded.address, to: inbox, tid })
    await deliver(inbox, answer)
    await deliver(inbox, withoutTokens(answer).replace('\r\n\r\n', `\r\nIn-Reply-To: <${mid}>\r\n\r\n`))
    await deliver(inbox, forgeReturnedMail({ root, from: guarded.address, to: inbox, tid }))
    const result = await guarded.until('the result', arrivesWithinMs, async () =>
      (await guarded.results()).find(({ id }) => id === tid),
    )
    assert.deepEqual([result.outcome, result.returned_at, result.late_returned_at], ['timeout', null, null])
    await lab.customer.release(user)
    await guarded.until('the true answer, late', arrivesWithinMs, async () =>
      (await guarded.results()).some(({ id, late_returned_at }) => id === tid && late_returned_at !== null),
    )
  })
})

describe('requests to the API', { concurrency: true }, () => {
  let mailscout: Mailscout
  const someone = crypto.randomUUID()
  before(async () => {
    mailscout = await useMailscout()
  })

  const monitor = { name: 'm', kind: 'roundtrip', target: { address: 'scout@customer.test' } }
  const table: [what: string, method: string, path: string, body: unknown, status: number, code: string, field?: string][] = [
    ['a target without an address', 'POST', '/v1/monitors', { ...monitor, target: {} }, 400, 'REQUEST_INVALID', 'target.address'],
    [
      'an address that is none',
      'POST',
      '/v1/monitors',
      { ...monitor, target: { address: 'scout' } },
      400,
      'REQUEST_INVALID',
      'target.address',
    ],
    ['a field that does not exist', 'POST', '/v1/monitors', { ...monitor, perod_s: 60 }, 400, 'REQUEST_INVALID', 'perod_s'],
    ['a number as text', 'POST', '/v1/monitors', { ...monitor, period_s: '60' }, 400, 'REQUEST_INVALID', 'period_s'],
    ['no customer', 'POST', '/v1/monitors', monitor, 400, 'REQUEST_INVALID', 'customer_id'],
    [
      'a customer that is not there',
      'POST',
      '/v1/monitors',
      { ...monitor, customer_id: someone },
      400,
      'REQUEST_INVALID',
      'customer_id',
    ],
    [
      'a phone that is none',
      'POST',
      '/v1/contacts',
      { name: 'c', methods: [{ kind: 'sms', address: '0400' }] },
      400,
      'REQUEST_INVALID',
      'methods.0.address',
    ],
    [
      'a level that does not exist',
      'POST',
      '/v1/customers',
      { name: 'c', service_level: 'gold' },
      400,
      'REQUEST_INVALID',
      'service_level',
    ],
    ['too many at once', 'GET', '/v1/incidents?limit=501', undefined, 400, 'REQUEST_INVALID', 'limit'],
    ['a time that is none', 'GET', `/v1/monitors/${someone}/results?since=today`, undefined, 400, 'REQUEST_INVALID', 'since'],
    ['something that is not there', 'GET', `/v1/monitors/${someone}`, undefined, 404, 'NOT_FOUND'],
    ['text that is not JSON', 'POST', '/v1/customers', '{', 400, 'REQUEST_INVALID'],
  ]
  for (const [what, method, path, body, status, code, field] of table) {
    test(`${what} is answered ${status}${field === undefined ? '' : ` and names ${field}`}`, async () => {
      const headers = typeof body === 'string' ? { 'content-type': 'application/json' } : {}
      const answer = await mailscout.api.call(path, { method, headers, ...(body === undefined ? {} : { body }) })
      assertProblem(answer, status, code, field)
    })
  }

  test('a key that is not known is answered 401', async () => {
    const answer = await mailscout.api.call('/v1/customers', { headers: { authorization: `Bearer ${'x'.repeat(43)}` } })
    assertProblem(answer, 401, 'UNAUTHENTICATED')
  })
})

type Answer = Awaited<ReturnType<Mailscout['api']['call']>>

function assertProblem(answer: Answer, status: number, code: string, field?: string): void {
  const problem = answer.json as Problem
  assert.deepEqual([answer.status, problem.status, problem.code], [status, status, code], answer.text)
  assert.match(String(answer.headers['content-type']), /^application\/problem\+json/)
  if (field !== undefined) assert.equal(problem.errors?.[0]?.field, field, answer.text)
}

/** The responder's note about a mail that it left unanswered. */
async function ignored(watched: Watched, tid?: string) {
  const find = () => watched.journal().find((entry) => entry.msg === 'ignored' && entry.tid === tid)
  return await until(`the responder of ${watched.user} to ignore a mail`, find, { withinMs: arrivesWithinMs })
}

/** Without the header and the block that carry the token. */
const withoutTokens = (raw: string): string =>
  raw
    .replace(/^X-Mailscout-Token:.*\r\n([ \t].*\r\n)*/gm, '')
    .replace(/-----BEGIN MAILSCOUT TOKEN-----[\s\S]*?-----END MAILSCOUT TOKEN-----/g, '')

const folded = (header: string): string => header.match(/.{1,200}/g)?.join('\r\n ') ?? ''
