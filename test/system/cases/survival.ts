/** Parts that die or lose one another, one after the other, because all monitors feel it. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Result } from '../lab/api.ts'
import { useLab, useMailscout } from '../lab/current.ts'
import { type Mailscout, operatorPhone, type Region, regions, returnAddress } from '../lab/mailscout.ts'
import { never, until } from '../lab/until.ts'
import type { Watched } from '../lab/watched.ts'

const lab = useLab()

describe('survival', () => {
  let mailscout: Mailscout
  before(async () => {
    mailscout = await useMailscout()
  })
  after(() => mailscout.unwatchAll())

  test('a probe that is cut off from the coordinator goes on testing, and its results arrive later, all of them', async () => {
    const watched = await mailscout.watch('unheard')
    await watched.awaitUp()
    const cutMs = Date.now()
    const undo = lab.network.faults.cut(lab.host('eu'), lab.host('coordinator'))
    await until('the coordinator to miss the probe', async () => (await mailscout.probeOf('eu')).state === 'lost', {
      withinMs: 90_000,
      everyMs: 500,
    })
    const silent = (await watched.results()).filter(({ region }) => region === 'eu')
    assert.ok(
      silent.every((result) => Date.parse(result.started_at) <= cutMs),
      'nothing is heard of it',
    )
    const healedMs = Date.now()
    undo()
    await mailscout.awaitConnected('eu')
    await awaitSlots(watched, 'eu', cutMs, healedMs)
    await assertUndisturbed(watched)
  })

  test('a probe that is killed while a mail is out recognises it after the restart, and tests no slot twice', async () => {
    const user = 'orphaned'
    const watched = await mailscout.watch(user)
    await watched.awaitUp()
    const sinceMs = Date.now()
    const earlier = await watched.results()
    lab.customer.hold(user)
    // It is out once the probe has heard so: a moment after the mail server holds it.
    const isOut = ({ sender, arrivedMs }: { sender: string; arrivedMs: number }) =>
      sender === returnAddress('us') && Date.now() - arrivedMs > 3_000
    await watched.until('a mail from us to be out', 60_000, async () => (await lab.customer.held(user)).some(isOut))
    const us = mailscout.parts.probes.us
    await us.kill()
    us.start()
    await us.awaitLog(/probe ready/)
    await lab.customer.release(user)
    const result = await watched.awaitResult('the result of that mail', earlier, 60_000, ({ region }) => region === 'us')
    assert.match(result.outcome, /^(ok|slow)$/, JSON.stringify(result))
    await awaitSlots(watched, 'us', sinceMs, Date.now())
    await watched.awaitDecision('up', 90_000)
    await assertUndisturbed(watched)
  })

  test('the coordinator is killed in the middle of an incident: no second SMS, the next step happens, no result is lost', async () => {
    const user = 'interrupted'
    const watched = await mailscout.watch(user, { escalation: [{ after_s: 0 }, { after_s: 35 }] })
    await watched.awaitUp()
    const sinceMs = Date.now()
    const { detection_bound_s } = await watched.monitor()
    lab.customer.discard(user)
    await watched.awaitSms(1, detection_bound_s * 1000)
    // A coordinator that dies before it has noted the gateway's answer sends once more, marked: that is a story of its own.
    await watched.until('the first page to be noted as accepted', 10_000, async () => {
      const [incident] = await watched.incidents()
      const [page] = incident === undefined ? [] : await watched.pages(incident.id)
      return page?.state === 'accepted'
    })
    await mailscout.coordinator.kill()
    const killedMs = Date.now()
    const before = discarded(user)
    await until('the probes to go on testing', () => discarded(user) >= before + 4, { withinMs: 60_000 })
    assert.deepEqual(watched.sms(1), [], 'the second step is due later')
    mailscout.coordinator.start()
    await mailscout.coordinator.awaitLog(/coordinator ready/, 30_000)
    const [second] = await watched.awaitSms(1, 60_000, 1)
    assert.match(second?.text ?? '', /^DOWN interrupted since /)
    // Counted from when the step was taken, a moment before the gateway had the first SMS.
    const betweenMs = Date.parse(second?.at ?? '') - Date.parse(watched.sms()[0]?.at ?? '')
    assert.ok(betweenMs > 34_000, `the second step came ${betweenMs} ms after the first`)
    for (const region of regions) await awaitSlots(watched, region, sinceMs, killedMs)
    assert.equal(watched.sms().length, 1, 'the first phone rang once')
    const [incident, ...more] = await watched.incidents()
    assert.deepEqual(more, [])
    const pages = await watched.pages(incident?.id ?? '')
    assert.deepEqual(pages.map(({ kind, step, state }) => `${kind} ${step} ${state}`).sort(), [
      'down 0 accepted',
      'down 1 accepted',
    ])

    lab.customer.accept(user)
    await watched.awaitDecision('up', 90_000)
    for (const step of [0, 1]) {
      const texts = (await watched.awaitSms(2, 10_000, step)).map(({ text }) => text.split(' ')[0])
      assert.deepEqual(texts, ['DOWN', 'UP'])
    }
    await never('a further SMS', () => watched.sms(0).length + watched.sms(1).length > 4, 20_000)
    for (const region of regions) await awaitSlots(watched, region, sinceMs, Date.now())
    assert.equal((await watched.incidents()).length, 1)
  })
})

/** How many mails the customer's mail system has thrown away for this user. */
function discarded(user: string): number {
  return lab.customer.log().split(`<${user}@customer.test>: Recipient address triggers DISCARD action`).length - 1
}

/** Waits until a slot that began after `toMs` is reported; then every slot since `fromMs` must be there, once. */
async function awaitSlots(watched: Watched, region: Region, fromMs: number, toMs: number): Promise<void> {
  const periodMs = (await watched.monitor()).period_s * 1000
  const slots = await watched.until(`the slots in ${region}`, 90_000, async () => {
    const found = slotsOf(await watched.results(), region).filter((slotMs) => slotMs >= fromMs)
    return found.some((slotMs) => slotMs > toMs) && found
  })
  const first = slots[0] ?? 0
  assert.ok(first < fromMs + periodMs, `${region}: the first slot since ${new Date(fromMs).toISOString()} is missing`)
  assert.deepEqual(
    slots.map(iso),
    slots.map((_, index) => iso(first + index * periodMs)),
    `${region}: a slot is missing or doubled`,
  )
}

const iso = (ms: number): string => new Date(ms).toISOString()

const slotsOf = (results: Result[], region: Region): number[] =>
  results
    .filter((result) => result.region === region && result.cause === 'slot' && result.slot_at !== null)
    .map((result) => Date.parse(result.slot_at ?? ''))
    .sort((a, b) => a - b)

async function assertUndisturbed(watched: Watched): Promise<void> {
  assert.equal((await watched.monitor()).decision, 'up')
  assert.deepEqual(await watched.incidents(), [])
  assert.deepEqual(watched.sms(), [])
  assert.deepEqual(lab.sms.received(operatorPhone), [])
}
