/** Mail goes out from three regions and comes back, and leaves behind only what it should. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Result } from '../lab/api.ts'
import { useLab, useMailscout } from '../lab/current.ts'
import { plainMail, readMailbox, sendMail } from '../lab/mail.ts'
import { type Mailscout, regions } from '../lab/mailscout.ts'

const lab = useLab()

describe('round trips', { concurrency: true }, () => {
  let mailscout: Mailscout
  before(async () => {
    mailscout = await useMailscout()
  })
  after(() => mailscout.unwatchAll())

  test('mail returns to three regions, each measured by its own distance, and the monitor is up', async () => {
    const scout = await mailscout.watch('scout')
    await scout.awaitUp()
    const fastest = await scout.until('two returns to each region', 60_000, async () => {
      const results = (await scout.results()).filter(({ outcome }) => outcome === 'ok')
      const byRegion = regions.map((region) => results.filter((result) => result.region === region))
      return byRegion.every((list) => list.length >= 2) && byRegion.map(fastestOf)
    })
    for (const [index, result] of fastest.entries()) assertPlausible(result, regions[index] ?? '')
    const [eu = 0, us = 0, ap = 0] = fastest.map((result) => result.rtt_ms ?? 0)
    assert.ok(eu < us && us < ap, `the nearer the faster: eu ${eu} ms, us ${us} ms, ap ${ap} ms`)
    assert.deepEqual(await scout.incidents(), [])
    assert.deepEqual(scout.sms(), [])
  })

  test('a .forward that drops leaves no mail behind', async () => {
    const dropping = await mailscout.watch('dropping')
    await dropping.awaitUp()
    assert.deepEqual(dropping.on.mails('dropping'), [])
  })

  test('a .forward that keeps leaves a copy of each test mail', async () => {
    const keeping = await mailscout.watch('keeping', { forward: 'keep' })
    await keeping.awaitUp()
    const results = (await keeping.results()).filter(({ outcome }) => outcome === 'ok')
    const mails = await keeping.until('a copy of each', 10_000, () => {
      const kept = keeping.on.mails('keeping')
      return results.every(({ id }) => kept.some((mail) => mail.includes(id))) && kept
    })
    assert.ok(mails.every((mail) => /^X-Mailscout-Token:/m.test(mail)))
  })

  test('the probe clears its own mails from the return mailbox and leaves those of others', async () => {
    const subject = 'to the owner of the mailbox'
    await sendMail(lab.host('infra'), {
      from: 'a@b.test',
      to: 'rt@ap.probe.test',
      raw: plainMail('a@b.test', 'rt@ap.probe.test', subject),
    })
    const purged = await mailscout.watch('purged')
    await purged.awaitUp()
    const returns = async () =>
      (await purged.results()).filter((result) => result.region === 'ap' && result.detail.via === 'imap')
    await purged.until('three returns by IMAP', 90_000, async () => (await returns()).length >= 3)
    const { user, password, host, authorityFile } = lab.returnMailbox
    const mails = () => readMailbox(lab.host('returns'), { user, password, host, authorityFile })
    const left = await purged.until('the returned mails to be purged', 60_000, async () => {
      const ids = (await returns()).slice(0, 3).map(({ id }) => id)
      const present = await mails()
      return present.every((mail) => !ids.some((id) => mail.includes(id))) && present
    })
    assert.equal(left.filter((mail) => mail.includes(`Subject: ${subject}`)).length, 1)
  })

  test('a monitor whose mail has never returned is pending and wakes nobody', async () => {
    const silent = await mailscout.watch('silent', { forward: 'none' })
    await silent.until('every region to fail', 90_000, async () => {
      const lost = (await silent.results()).filter(({ outcome }) => outcome === 'timeout')
      return regions.every((region) => lost.some((result) => result.region === region))
    })
    assert.equal((await silent.monitor()).decision, 'pending')
    assert.deepEqual(await silent.incidents(), [])
    assert.deepEqual(silent.sms(), [])
  })
})

function fastestOf(results: Result[]): Result {
  const [first] = results.toSorted((a, b) => (a.rtt_ms ?? 0) - (b.rtt_ms ?? 0))
  if (first === undefined) throw new Error('there is no result')
  return first
}

/** One machine carries all clocks of the lab, so that the legs of a test can be compared directly. */
function assertPlausible(result: Result, region: string): void {
  const { rtt_ms, stages, started_at, sent_at, stamp_at, returned_at } = result
  const delayMs = lab.host(region).delayMs
  const words = `${region}: ${JSON.stringify(result)}`
  assert.ok(rtt_ms !== null && sent_at !== null && stamp_at !== null && returned_at !== null, words)
  assert.ok(started_at <= sent_at && sent_at <= stamp_at && stamp_at <= returned_at, words)
  // Connect, greeting, EHLO, MAIL, RCPT, DATA and the end: at least six times there and back.
  assert.ok(rtt_ms > 12 * delayMs && rtt_ms < 6000, words)
  const connect = stages.find(({ name }) => name === 'connect')?.ms ?? -1
  assert.ok(connect >= 2 * delayMs && connect < 2 * delayMs + 300, words)
  assert.ok(stages.reduce((sum, { ms }) => sum + ms, 0) <= Date.parse(returned_at) - Date.parse(started_at) + rtt_ms, words)
}
