/** What goes wrong with a customer's mail, and who is woken by it: seen by the API and by the phone. */
import assert from 'node:assert/strict'
import { before, describe, type TestContext, test } from 'node:test'
import type { Incident } from '../lab/api.ts'
import { useLab, useMailscout } from '../lab/current.ts'
import { type Mailscout, operatorPhone } from '../lab/mailscout.ts'
import { never } from '../lab/until.ts'
import type { MonitorOptions, Watched } from '../lab/watched.ts'

const lab = useLab()
/** One period and a test: whatever the next slots bring about has been brought about by then. */
const calmMs = 30_000
const recoveryWithinMs = 90_000
/** What fails is tested every few seconds, and each mail starts programs: more at once would keep a small machine too busy to be in time. */
const atOnce = { concurrency: 3 }

type Outage = { outcome: string; begin: () => unknown; end: () => unknown }

describe('troubles', () => {
  let mailscout: Mailscout
  before(async () => {
    mailscout = await useMailscout()
  })

  /** For the time of a case. */
  const watch = async (t: TestContext, user: string, options?: MonitorOptions): Promise<Watched> => {
    const watched = await mailscout.watch(user, options)
    t.after(() => mailscout.unwatch(watched))
    return watched
  }

  describe('that are outages: one incident, one SMS, one all-clear', atOnce, () => {
    test('the customer’s mail server is stopped', async (t) => {
      const { stopped } = mailscout.parts.customers
      const watched = await watch(t, 'scout', { on: stopped })
      const incident = await assertOneIncident(watched, {
        outcome: 'unreachable',
        begin: () => stopped.stop(),
        end: () => stopped.start(),
      })
      assert.match(incident.cause.text, /no connection to mail\.stopped\.test/)
    })

    test('port 25 of the customer’s mail server is silent', async (t) => {
      const { dropped } = mailscout.parts.customers
      const watched = await watch(t, 'scout', { on: dropped })
      let undo = () => {}
      await assertOneIncident(watched, {
        outcome: 'unreachable',
        begin: () => {
          undo = lab.network.faults.dropPort(dropped.host, 25)
        },
        end: () => undo(),
      })
    })

    test('mail is accepted and discarded', async (t) => {
      const user = 'swallowed'
      const watched = await watch(t, user)
      await assertOneIncident(watched, {
        outcome: 'timeout',
        begin: () => lab.customer.discard(user),
        end: () => lab.customer.accept(user),
      })
    })

    test('the responder is removed, and mail stays in the mailbox', async (t) => {
      const watched = await watch(t, 'forgotten')
      const forward = watched.on.forwardOf('forgotten')
      await assertOneIncident(watched, {
        outcome: 'timeout',
        begin: () => watched.on.setForward('forgotten', undefined),
        end: () => {
          assert.ok(watched.on.mails('forgotten').length > 0)
          watched.on.setForward('forgotten', forward)
        },
      })
    })

    test('the mail server refuses: the incident quotes it', async (t) => {
      const user = 'dismissed'
      const words = 'The mailbox of the scout is closed'
      const watched = await watch(t, user)
      const begunMs = Date.now()
      const incident = await assertOneIncident(watched, {
        outcome: 'refused',
        begin: () => lab.customer.refuse(`550 5.2.1 ${words}`, user),
        end: () => lab.customer.accept(user),
      })
      assert.ok(incident.cause.text.includes(words), incident.cause.text)
      const [first] = (await watched.results()).filter(({ outcome }) => outcome === 'refused')
      assert.ok(first !== undefined && Date.parse(first.started_at) >= begunMs)
      const heldMs = Date.parse(incident.opened_at) - Date.parse(first.started_at)
      assert.ok(heldMs >= 15_000, `a refusal must last hard_confirm_s: it opened after ${heldMs} ms`)
    })

    test('mail bounces after it was accepted', async (t) => {
      const user = 'bounced'
      const watched = await watch(t, user)
      const forward = watched.on.forwardOf(user)
      await assertOneIncident(watched, {
        outcome: 'bounced',
        begin: () => watched.on.setForward(user, 'nobody-of-that-name@customer.test'),
        end: () => watched.on.setForward(user, forward),
      })
    })
  })

  describe('while the SMS gateway has its own', atOnce, () => {
    test('it takes the SMS and its answer is lost: the SMS comes once more, marked, because a doubled page beats silence', async (t) => {
      const user = 'doubtful'
      const watched = await watch(t, user)
      await watched.awaitUp()
      const { detection_bound_s } = await watched.monitor()
      lab.sms.behave('accept-then-hang', watched.phones[0])
      lab.customer.discard(user)
      await watched.awaitSms(1, detection_bound_s * 1000)
      lab.sms.behave('accept', watched.phones[0])
      const texts = (await watched.awaitSms(2, 60_000)).map(({ text }) => text)
      assert.match(texts[0] ?? '', /^DOWN doubtful /)
      assert.equal(texts[1]?.slice(0, 140), `(repeat) ${texts[0]}`.slice(0, 140))
      lab.customer.accept(user)
      assert.match((await watched.awaitSms(3, recoveryWithinMs))[2]?.text ?? '', /^UP doubtful /)
      await never('a fourth SMS', () => watched.sms().length > 3, calmMs)
    })

    test('it is out of order for a while: the SMS comes when it works again, once', async (t) => {
      const user = 'delayed'
      const watched = await watch(t, user)
      await watched.awaitUp()
      const { detection_bound_s } = await watched.monitor()
      lab.sms.behave('refuse', watched.phones[0])
      lab.customer.discard(user)
      const attempts = () => lab.sms.requests(watched.phones[0]).length
      await watched.until('two attempts', detection_bound_s * 1000, () => attempts() >= 2)
      lab.sms.behave('accept', watched.phones[0])
      assert.match((await watched.awaitSms(1, 60_000))[0]?.text ?? '', /^DOWN delayed /)
      lab.customer.accept(user)
      assert.match((await watched.awaitSms(2, recoveryWithinMs))[1]?.text ?? '', /^UP delayed /)
      await never('a third SMS', () => watched.sms().length > 2, calmMs)
    })
  })

  describe('that wake nobody', atOnce, () => {
    test('a refusal for a moment', async (t) => {
      const user = 'slipped'
      const watched = await watch(t, user, { settings: { hard_confirm_s: 25 } })
      await watched.awaitUp()
      const before = await watched.results()
      lab.customer.refuse('550 5.1.1 No such user, the configuration says', user)
      await watched.awaitResult('a refusal', before, 60_000, ({ outcome }) => outcome === 'refused')
      await watched.awaitDecision('suspected', 15_000)
      lab.customer.accept(user)
      await watched.awaitDecision('up', 90_000)
      await assertCalm(watched)
    })

    test('greylisting that lets the second attempt pass', async (t) => {
      const user = 'greylisted-later'
      const watched = await watch(t, user)
      await watched.awaitUp()
      const before = await watched.results()
      lab.customer.greylist(user)
      const deferred = new RegExp(`NOQUEUE: reject: RCPT .* 451 .*to=<${watched.address}>`)
      await watched.until('a deferral', 60_000, () => deferred.test(lab.customer.log()))
      lab.customer.accept(user)
      const passed = ({ outcome, detail }: { outcome: string; detail: { attempts?: number } }) =>
        ['ok', 'slow'].includes(outcome) && (detail.attempts ?? 1) > 1
      await watched.awaitResult('a test that passed at its second attempt', before, 60_000, passed)
      await assertCalm(watched)
    })

    test('mail that is slow', async (t) => {
      const user = 'slow'
      const watched = await watch(t, user)
      await watched.awaitUp()
      const before = await watched.results()
      lab.customer.hold(user)
      await watched.until('a mail to wait beyond the slow mark', 60_000, async () =>
        (await lab.customer.held(user)).some(({ arrivedMs }) => Date.now() - arrivedMs > 9_000),
      )
      await lab.customer.release(user)
      await watched.awaitResult('a slow return', before, 60_000, ({ outcome }) => outcome === 'slow')
      await watched.awaitDecision('up', 90_000)
      await assertCalm(watched)
    })

    test('mail that comes after its time: it is noted, and rewrites nothing', async (t) => {
      const user = 'late'
      const watched = await watch(t, user)
      await watched.awaitUp()
      const before = await watched.results()
      lab.customer.hold(user)
      const lost = await watched.awaitResult('a timeout', before, 90_000, ({ outcome }) => outcome === 'timeout')
      await lab.customer.release(user)
      const late = await watched.awaitResult(
        'its late return',
        [],
        60_000,
        ({ id, late_returned_at }) => id === lost.id && late_returned_at !== null,
      )
      assert.equal(late.outcome, 'timeout')
      await watched.awaitDecision('up', 90_000)
      await assertCalm(watched)
    })

    test('one region that cannot reach the customer: the decision is partial', async (t) => {
      const { partial } = mailscout.parts.customers
      const watched = await watch(t, 'scout', { on: partial })
      await watched.awaitUp()
      const undo = lab.network.faults.cut(lab.host('eu'), partial.host)
      const { verdicts } = await watched.awaitDecision('partial', 90_000)
      assert.deepEqual(verdicts.map(({ region, verdict }) => `${region} ${verdict === 'pass' ? 'passes' : 'fails'}`).sort(), [
        'ap passes',
        'eu fails',
        'us passes',
      ])
      await assertCalm(watched)
      assert.equal((await watched.monitor()).decision, 'partial')
      undo()
      await watched.awaitUp(recoveryWithinMs)
      await assertCalm(watched)
    })
  })
})

/** An outage from its begin to its end: one incident of this outcome, one SMS within the bound, one all-clear. */
async function assertOneIncident(watched: Watched, { outcome, begin, end }: Outage): Promise<Incident> {
  await watched.awaitUp()
  const { detection_bound_s } = await watched.monitor()
  const begunMs = Date.now()
  await begin()
  const [alarm] = await watched.awaitSms(1, detection_bound_s * 1000)
  assert.ok(alarm !== undefined)
  const tookMs = Date.parse(alarm.at) - begunMs
  assert.ok(tookMs <= detection_bound_s * 1000, `the SMS came after ${tookMs} ms, the bound is ${detection_bound_s} s`)
  const open = await watched.awaitIncident(5_000)
  assert.equal(open.kind, 'down')
  assert.equal(open.cause.outcome, outcome)
  assert.ok(open.vantages.filter(({ verdict }) => verdict === 'fail').length >= 2, JSON.stringify(open.vantages))
  assert.equal((await watched.monitor()).decision, 'down')
  assert.match(alarm.text, new RegExp(`^DOWN ${watched.user} since \\d\\d:\\d\\d UTC .*Agreed: .*Code ${open.code}$`))
  assert.ok(alarm.text.length <= 160, alarm.text)
  await end()
  await watched.until('the incident to be resolved', recoveryWithinMs, async () =>
    (await watched.incidents()).every(({ resolved_at }) => resolved_at !== null),
  )
  const [, allClear] = await watched.awaitSms(2, 15_000)
  assert.match(allClear?.text ?? '', new RegExp(`^UP ${watched.user} since .*Code ${open.code}$`))
  await never(`${watched.user}: a third SMS`, () => watched.sms().length > 2, calmMs)
  const [incident, ...more] = await watched.incidents()
  assert.deepEqual(more, [])
  assert.equal((await watched.monitor()).decision, 'up')
  return incident ?? open
}

/** For a while nobody is woken, and nothing that happened before has opened an incident. */
async function assertCalm(watched: Watched): Promise<void> {
  await never(`${watched.user}: an SMS`, () => watched.sms().length > 0, calmMs)
  assert.deepEqual(await watched.incidents(), [])
  assert.deepEqual(lab.sms.received(operatorPhone), [])
}
