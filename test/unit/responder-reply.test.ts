import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readReturnedMail } from '../../common/mail/inbound-mail.ts'
import { headerValue, readMessage } from '../../common/mail/message.ts'
import { answersPerHourMax, type Decision, decide, type Memory, type Question } from '../../responder/reply.ts'
import {
  type Changes,
  makeKeys,
  makeTestMail,
  makeToken,
  nowMs,
  probe,
  relayed,
  returnAddress,
  root,
  split,
  target,
  tid,
  withoutOwnHeaders,
} from '../support/mails.ts'

class MapMemory implements Memory {
  readonly stamps = new Map<string, number>()
  readonly answers = new Map<string, number>()

  firstStamp(test: string, stampMs: number): number {
    const first = this.stamps.get(test) ?? stampMs
    this.stamps.set(test, first)
    return first
  }

  countAnswer(probeId: string): number {
    const count = (this.answers.get(probeId) ?? 0) + 1
    this.answers.set(probeId, count)
    return count
  }
}

const config = { rootKeysX: [root.x], returnDomains: ['probe.example'], addresses: [], from: undefined }
const ask = (mail: string, changes: Partial<Question> = {}): Decision =>
  decide({
    raw: Buffer.from(mail, 'latin1'),
    delivery: { sender: returnAddress, recipients: [target] },
    receivedAtMs: nowMs,
    answerId: '019ab0c0-1111-7000-8000-000000000001',
    config,
    memory: new MapMemory(),
    version: '0.1.0',
    ...changes,
  })
const testMail = makeTestMail()
const answerOf = (decision: Decision) => {
  if (decision.action !== 'answer') throw new Error(`ignored: ${decision.reason}`)
  return decision
}

describe('a genuine test mail is answered', () => {
  test.each(Object.entries(relayed).filter(([how]) => !how.includes('attachment')))('%s', (_, relay) => {
    const decision = answerOf(ask(relay(testMail)))
    expect(decision).toMatchObject({ to: returnAddress, from: '', tid, repeated: false, clockSuspect: false })
    const inbound = readReturnedMail(decision.mail, { rootKeysX: [root.x], probeX: probe.x })
    expect(inbound).toMatchObject({ kind: 'returned', stampMs: nowMs, token: { tid, att: 1 } })
  })

  test('from the address that it was sent to, whatever alias delivered it', () => {
    const decision = answerOf(ask(testMail, { delivery: { recipients: ['u123@internal.customer.example'] } }))
    expect(headerValue(readMessage(decision.mail), 'from')).toBe(target)
  })

  test('from the configured address', () => {
    const decision = answerOf(ask(testMail, { config: { ...config, from: 'responder@customer.example' } }))
    expect(headerValue(readMessage(decision.mail), 'from')).toBe('responder@customer.example')
  })

  test.each<[string, number]>([
    ['a year ahead', 365 * 86_400_000],
    ['at the beginning of time', -nowMs],
  ])('by a machine whose clock stands %s, and stamped as suspect', (_, shiftMs) => {
    expect(answerOf(ask(testMail, { receivedAtMs: nowMs + shiftMs })).clockSuspect).toBe(true)
  })

  test('again when it is delivered again, with the first stamp', () => {
    const memory = new MapMemory()
    answerOf(ask(testMail, { memory }))
    const again = answerOf(ask(testMail, { memory, receivedAtMs: nowMs + 60_000 }))
    expect(again.repeated).toBe(true)
    const inbound = readReturnedMail(again.mail, { rootKeysX: [root.x], probeX: probe.x })
    expect(inbound).toMatchObject({ kind: 'returned', stampMs: nowMs + 60_000, firstStampMs: nowMs })
  })

  test('wherever its headers would lead, only to the return address in its token', () => {
    const misleading = `Reply-To: victim@x.example\r\nReturn-Path: <victim@x.example>\r\n${testMail.replace(/^From:.*$/m, 'From: victim@x.example')}`
    const decision = answerOf(ask(misleading))
    expect(decision.to).toBe(returnAddress)
    expect(decision.mail).not.toContain('victim')
  })
})

describe('the answer is never answered', () => {
  test.each(Object.entries(relayed))('%s', (_, relay) => {
    expect(ask(relay(answerOf(ask(testMail)).mail), { delivery: { recipients: [target] } }).action).toBe('ignore')
  })

  test('with every mark in its headers dropped', () => {
    const bare = withoutOwnHeaders(answerOf(ask(testMail)).mail).replace(/^Auto-Submitted:.*\r\n/m, '')
    expect(ask(`Delivered-To: ${target}\r\n${bare}`)).toMatchObject({ action: 'ignore', reason: 'own_answer' })
  })
})

const stranger = makeKeys()
describe('what is not genuine gets no answer', () => {
  test.each<[string, Changes, string]>([
    ['certified by a stranger', { rootKey: stranger }, 'not_genuine'],
    ['minted with a key that is not certified', { probeKey: stranger, certifiedKey: probe }, 'not_genuine'],
    ['with a return address beyond the certificate', { certificateRet: 'rt@us.probe.example' }, 'not_genuine'],
    ['for another recipient', { rcpt: 'A'.repeat(43) }, 'other_recipient'],
    ['returning to a domain that is not pinned', { ret: 'rt@victim.example' }, 'return_domain_not_pinned'],
    ['returning to a look-alike domain', { ret: 'rt@evilprobe.example' }, 'return_domain_not_pinned'],
    ['returning below a look-alike domain', { ret: 'rt@probe.example.evil.example' }, 'return_domain_not_pinned'],
  ])('a token %s', (_, changes, reason) => {
    expect(ask(makeTestMail(makeToken(changes)))).toMatchObject({ action: 'ignore', reason })
  })

  test('a mail without token', () => {
    expect(ask('Subject: hello\r\n\r\nhello\r\n')).toEqual({ action: 'ignore', reason: 'no_token' })
    expect(ask('')).toEqual({ action: 'ignore', reason: 'no_token' })
  })

  test('a test mail for another address than those configured', () => {
    const other = { ...config, addresses: ['other@customer.example'] }
    expect(ask(testMail, { config: other })).toMatchObject({ reason: 'other_recipient' })
    expect(ask(testMail, { config: { ...config, addresses: ['other@customer.example', target] } }).action).toBe('answer')
  })

  test('a mail of the null sender', () => {
    expect(ask(testMail, { delivery: { sender: '<>', recipients: [target] } })).toEqual({
      action: 'ignore',
      reason: 'null_sender',
    })
  })

  test('the 601st mail of a probe within the hour', () => {
    const memory = new MapMemory()
    memory.countAnswer = () => answersPerHourMax
    expect(ask(testMail, { memory }).action).toBe('answer')
    memory.countAnswer = () => answersPerHourMax + 1
    expect(ask(testMail, { memory })).toMatchObject({ action: 'ignore', reason: 'over_budget' })
  })
})

describe('whatever is done to a mail', () => {
  test('without a valid signature there is no answer and no fault', () => {
    const { head, body } = split(testMail)
    const token = makeToken()
    const piece = fc.oneof(
      fc.constantFrom(
        head.slice(0, 500),
        body.slice(0, 900),
        'X-Mailscout-Token: ',
        '\r\n',
        '-----BEGIN MAILSCOUT TOKEN-----\r\n',
        '-----END MAILSCOUT TOKEN-----\r\n',
      ),
      fc.constantFrom(token.slice(0, 400), token.slice(400), token.split('~')[0] ?? '', token.split('~')[1] ?? '', '~'),
      fc.string(),
      fc.string({ unit: 'binary' }),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 10 }), (pieces) => {
        const text = pieces.join('')
        fc.pre(!text.replace(/\s/g, '').includes(token))
        expect(ask(text).action).toBe('ignore')
      }),
      { numRuns: 300 },
    )
  })

  test('one changed character of the token leaves it unanswered', () => {
    const token = makeToken()
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.constantFrom(...'AZaz09-_.~=+/ é\0'), (at, character) => {
        fc.pre(token[at] !== character && character !== ' ' && character !== '=')
        const forged = `${token.slice(0, at)}${character}${token.slice(at + 1)}`
        expect(ask(`To: ${target}\r\nX-Mailscout-Token: ${forged}\r\n\r\n`).action).toBe('ignore')
      }),
      { numRuns: 300 },
    )
  })

  test('the answer is a mail of the same headers, to the same address', () => {
    const expected = readMessage(answerOf(ask(testMail)).mail).headers.map(({ name }) => name)
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.array(fc.string({ unit: 'binary' }), { maxLength: 5 }),
        (subject, received) => {
          const above = received.map((value) => `Received: ${value.replace(/[\r\n]/g, '')}\r\n`).join('')
          const mail = `${above}Subject: ${subject.replace(/[\r\n]/g, ' ')}\r\n${testMail.replace(/^Subject:.*\r\n/m, '')}`
          const decision = answerOf(ask(mail))
          expect(readMessage(decision.mail).headers.map(({ name }) => name)).toEqual(expected)
          expect(decision.mail).toMatch(/^[\x20-\x7e\r\n]*$/)
          expect(decision.to).toBe(returnAddress)
        },
      ),
      { numRuns: 100 },
    )
  })
})
