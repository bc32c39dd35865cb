import { describe, expect, it, onTestFinished } from 'vitest'
import { createKeyPair } from '../../common/wire/keys.ts'
import { readArrival } from '../../probe/match.ts'
import { bounceOf, inInbox, stampedAnswer, tokenFor } from '../support/customer-mail.ts'
import { Installation } from '../support/installation.ts'
import { uuidOf } from '../support/plans.ts'
import { enrolledIdentity, temporaryDirectory } from '../support/probe-parts.ts'

const nowMs = Date.UTC(2026, 10, 23, 12)
const at = { wallMs: nowMs, monotonicMs: 4321 }
const testId = uuidOf(5)

function probe() {
  const installation = new Installation()
  const directory = temporaryDirectory()
  onTestFinished(directory.remove)
  const identity = enrolledIdentity(installation, directory.path, nowMs)
  const trusted = { rootX: identity.rootX, probeX: identity.keyPair.x }
  return { identity, trusted, read: (raw: string) => readArrival(inInbox(raw, at), trusted) }
}

describe('a mail in the inbox', () => {
  it('is the return of a test when it bears our token and a stamp', () => {
    const { identity, read } = probe()
    expect(read(stampedAnswer(tokenFor(identity, testId, nowMs), nowMs - 500))).toEqual({
      tid: testId,
      event: {
        kind: 'returned',
        back: { at, stampAtMs: nowMs - 500, detail: { via: 'smtp', responder_version: '0.1.0' } },
      },
    })
  })

  it('is nothing when another key of the same installation, or another root, made its token', () => {
    const { identity, trusted } = probe()
    const answer = inInbox(stampedAnswer(tokenFor(identity, testId, nowMs), nowMs), at)
    expect(readArrival(answer, { ...trusted, probeX: createKeyPair().x })).toMatchObject({ tid: undefined })
    expect(readArrival(answer, { ...trusted, rootX: createKeyPair().x })).toMatchObject({ tid: undefined })
  })

  it('is a bounce when it reports a failure under our ENVID', () => {
    const arrival = probe().read(bounceOf(testId))
    expect(arrival).toMatchObject({ tid: testId, event: { kind: 'bounce', blocked: false, detail: { dsn_status: '5.1.1' } } })
  })

  it('speaks about us when the bounce names a blocklist', () => {
    const arrival = probe().read(bounceOf(testId, 'smtp; 554 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org'))
    expect(arrival).toMatchObject({ event: { kind: 'bounce', blocked: true } })
  })

  it('is evidence only when it reports a delay', () => {
    const arrival = probe().read(bounceOf(testId).replace('Action: failed', 'Action: delayed').replace('5.1.1', '4.4.1'))
    expect(arrival).toMatchObject({ tid: testId, event: { kind: 'delayed', detail: { dsn_status: '4.4.1' } } })
  })

  it('is not ours when it is a bounce of something else', () => {
    expect(probe().read(bounceOf(testId).replace(/Original-Envelope-Id.*\r\n/, ''))).toMatchObject({ tid: undefined })
  })

  it('says nothing of a stamp that no calendar knows', () => {
    const { identity, read } = probe()
    const answer = stampedAnswer(tokenFor(identity, testId, nowMs), Date.UTC(2300, 0, 1))
    expect(read(answer)).toMatchObject({ event: { back: { stampAtMs: null } } })
  })
})
