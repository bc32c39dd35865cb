/** The oracle of the flows is not fooled: histories in which all is well, and what it calls each thing that is spoiled in them. */
import { describe, expect, test } from 'vitest'
import { closedText, downText, fleetText, markRepeat } from '../../coordinator/core/sms-text.ts'
import {
  acknowledgedEarly,
  alice,
  bob,
  code,
  event,
  facts,
  historyOf,
  onlyPast,
  onlyUnconfirmed,
  operator,
  type Story,
  sms,
  step,
  texts,
  withoutBob,
} from '../support/told-story.ts'
import { read } from './flows/messages.ts'
import { judgeFlows } from './flows/oracle.ts'

const kinds = (change: (story: Story) => void) => [...new Set(judgeFlows(historyOf(change)).map(({ kind }) => kind))].sort()

describe('a history in which all is well', () => {
  const well: [string, (story: Story) => void][] = [
    ['everybody is told in time', () => {}],
    [
      'somebody acknowledges, and nobody else is woken',
      (s) => {
        acknowledgedEarly(s)
        withoutBob(s)
      },
    ],
    [
      'a page is repeated with its mark after an answer that never came',
      (s) => {
        s.swallowed.push({ ...sms(0, alice, texts.down, 'lost'), atS: 0 })
        s.sms.aliceDown = sms(20, alice, markRepeat(texts.down), 'lost')
      },
    ],
    [
      'a page is taken twice, marked, after its sender has died',
      (s) => {
        s.crashes = [2]
        s.sms.again = sms(10, alice, markRepeat(texts.down), s.sms.aliceDown?.reference)
      },
    ],
    [
      'a page that no gateway took rings as one is back',
      (s) => {
        s.deaf = [[0, 200]]
        s.sms.aliceDown = sms(400, alice, texts.down)
      },
    ],
    [
      'a page that was in the outbox before a window rings in it',
      (s) => {
        s.windows = [[301, 1800]]
        s.deaf = [[299, 400]]
        s.sms.bobDown = sms(410, bob, texts.down)
      },
    ],
    [
      'mails come back late while the incident is open, each with a line',
      (s) => {
        s.log.euLate = event(100, 'returned_late', { test_id: 'eu' })
        s.log.usLate = event(120, 'returned_late', { test_id: 'us' })
      },
    ],
    [
      'nobody else is woken while mail is back, and the next as soon as it fails again',
      (s) => {
        s.log.back = event(100, 'all_clear_waits')
        s.log.gone = event(500, 'fails_again')
        s.log.paged1 = event(501, 'paged', { step: 1, round: 0, to: ['bob'] })
        s.sms.bobDown = sms(502, bob, texts.down)
      },
    ],
    [
      'no gateway takes a page before somebody acknowledges, and nobody is woken',
      (s) => {
        s.sms = {}
        s.deaf = [[-100, 600]]
        s.log.acknowledged = event(400, 'acknowledged', { pages_cancelled: 2 })
      },
    ],
    ['too few vantages, and the operator is told', onlyUnconfirmed],
    ['an outage that was over before it was heard of, and one notice', onlyPast],
    [
      'the fleet guard tells the operator, which has no all-clear',
      (s) => {
        s.log.fleet = event(0, 'paged', { kind: 'fleet', to: ['operator'] })
        s.sms.fleet = sms(1, operator, texts.fleet)
      },
    ],
  ]
  test.each(well)('%s', (_, change) => {
    expect(judgeFlows(historyOf(change))).toEqual([])
  })
})

describe('one thing is spoiled', () => {
  const spoiled: [string, string[], (story: Story) => void][] = [
    [
      'a page is written and never sent',
      ['lost_page'],
      (s) => {
        delete s.sms.aliceDown
        delete s.sms.aliceUp
      },
    ],
    [
      'a page is written and never sent, and the incident stays open',
      ['lost_page'],
      (s) => {
        delete s.log.resolved
        delete s.sms.aliceUp
        delete s.sms.bobUp
        delete s.sms.bobDown
      },
    ],
    [
      'a late return is told of twice',
      ['groundless_line'],
      (s) => {
        s.log.euLate = event(100, 'returned_late', { test_id: 'eu' })
        s.log.again = event(120, 'returned_late', { test_id: 'eu' })
      },
    ],
    [
      'a late return is told of when all is over',
      ['groundless_line'],
      (s) => {
        s.log.euLate = event(100_000, 'returned_late', { test_id: 'eu' })
      },
    ],
    [
      'a page is sent late',
      ['late_page'],
      (s) => {
        s.sms.aliceDown = sms(200, alice, texts.down)
      },
    ],
    [
      'the same SMS goes out twice without a mark',
      ['duplicate_page'],
      (s) => {
        s.sms.again = sms(5, alice, texts.down, s.sms.aliceDown?.reference)
      },
    ],
    [
      'the same SMS goes out twice, marked for no reason',
      ['groundless_mark'],
      (s) => {
        s.sms.again = sms(5, alice, markRepeat(texts.down), s.sms.aliceDown?.reference)
      },
    ],
    [
      'every page is marked',
      ['groundless_mark'],
      (s) => {
        s.sms.aliceDown = sms(1, alice, markRepeat(texts.down))
      },
    ],
    [
      'a page is written twice',
      ['duplicate_page'],
      (s) => {
        s.sms.again = sms(5, alice, texts.down)
      },
    ],
    [
      'the all-clear is written twice',
      ['duplicate_page'],
      (s) => {
        s.sms.again = sms(905, alice, texts.resolved)
      },
    ],
    [
      'the customer is woken without a decision',
      ['false_page', 'no_all_clear'],
      (s) => {
        onlyUnconfirmed(s)
        s.sms.down = sms(1, alice, texts.down)
      },
    ],
    [
      'somebody is woken whom no step names',
      ['false_page', 'no_all_clear'],
      (s) => {
        s.sms.down = sms(1, operator, texts.down)
      },
    ],
    [
      'the customer hears what is the affair of the operator',
      ['false_page', 'no_all_clear'],
      (s) => {
        onlyUnconfirmed(s)
        s.sms.more = sms(1, bob, texts.unconfirmed)
      },
    ],
    [
      'a past outage wakes more than the first step',
      ['false_page'],
      (s) => {
        onlyPast(s)
        s.sms.more = sms(901, bob, texts.past)
      },
    ],
    [
      'a past outage is told of in maintenance',
      ['in_maintenance', 'lost_page'],
      (s) => {
        onlyPast(s)
        s.windows = [[800, 1000]]
      },
    ],
    [
      'a past outage is told of as if it went on',
      ['false_page', 'lost_page', 'no_all_clear'],
      (s) => {
        onlyPast(s)
        s.sms.told = sms(901, alice, texts.down)
      },
    ],
    [
      'the operator hears of a mass failure that nobody saw',
      ['false_page'],
      (s) => {
        s.sms.fleet = sms(1, operator, texts.fleet)
      },
    ],
    [
      'the operator hears that of one monitor many cannot be judged',
      ['false_page'],
      (s) => {
        s.log.blind = event(0, 'paged', { kind: 'blind', to: ['operator'] })
        s.sms.blind = sms(1, operator, texts.blind)
        s.sms.blindOver = sms(901, operator, texts.blind_resolved)
      },
    ],
    [
      'a message about an incident that is not there',
      ['unknown_incident'],
      (s) => {
        s.sms.strange = sms(5, alice, downText({ ...facts, code: 'WXYZ' }))
      },
    ],
    [
      'a mass failure is told of an incident that is not there',
      ['unknown_incident'],
      (s) => {
        s.sms.strange = sms(5, operator, fleetText({ failing: 12, watched: 40 }, 0, 'WXYZ'))
      },
    ],
    [
      'a message without a code',
      ['unknown_incident'],
      (s) => {
        s.sms.strange = sms(5, alice, 'DOWN Mail of Example')
      },
    ],
    [
      'a message in words that nobody knows',
      ['unknown_text'],
      (s) => {
        s.sms.strange = sms(5, alice, `Hello. Code ${code}`)
      },
    ],
    [
      'a page in maintenance',
      ['in_maintenance'],
      (s) => {
        s.windows.push([250, 1800])
      },
    ],
    [
      'a step as maintenance ends, before a look at what is so since then',
      ['early_step'],
      (s) => {
        s.lookS = 420
        s.windows.push([-100, 0])
      },
    ],
    ['a step is left out', ['skipped_step'], withoutBob],
    [
      'a gateway comes back, and a phone rings although somebody has acknowledged',
      ['after_acknowledged'],
      (s) => {
        s.deaf = [[-100, 600]]
        s.log.acknowledged = event(400, 'acknowledged', { pages_cancelled: 0 })
        s.sms.aliceDown = sms(601, alice, texts.down)
        s.sms.bobDown = sms(601, bob, texts.down)
      },
    ],
    [
      'a page that nobody took is lost as somebody acknowledges',
      ['lost_page'],
      (s) => {
        s.sms = {}
        s.deaf = [[-100, 600]]
        s.log.acknowledged = event(400, 'acknowledged', { pages_cancelled: 1 })
      },
    ],
    [
      'a step is taken although mail is back',
      ['step_while_back'],
      (s) => {
        s.log.back = event(100, 'all_clear_waits')
      },
    ],
    [
      'a step is left out although mail fails again',
      ['skipped_step'],
      (s) => {
        s.log.back = event(100, 'all_clear_waits')
        s.log.gone = event(500, 'fails_again')
        withoutBob(s)
      },
    ],
    [
      'a step is taken late',
      ['late_step'],
      (s) => {
        s.log.paged1 = event(330, 'paged', { step: 1, round: 0, to: ['bob'] })
        s.sms.bobDown = sms(331, bob, texts.down)
      },
    ],
    [
      'a step is taken early',
      ['early_step'],
      (s) => {
        s.log.paged1 = event(100, 'paged', { step: 1, round: 0, to: ['bob'] })
        s.sms.bobDown = sms(101, bob, texts.down)
      },
    ],
    ['it goes on after somebody has acknowledged', ['after_acknowledged', 'step_after_end'], acknowledgedEarly],
    [
      'one of them never hears that it is over',
      ['no_all_clear'],
      (s) => {
        delete s.sms.bobUp
      },
    ],
    [
      'the all-clear is late',
      ['late_page'],
      (s) => {
        s.sms.bobUp = sms(1200, bob, texts.resolved)
      },
    ],
    [
      'the all-clear comes before the end',
      ['groundless_all_clear'],
      (s) => {
        s.sms.bobUp = sms(800, bob, texts.resolved)
      },
    ],
    [
      'the all-clear reaches who heard nothing',
      ['groundless_all_clear'],
      (s) => {
        s.sms.more = sms(901, operator, texts.resolved)
      },
    ],
    [
      'the wrong all-clear',
      ['groundless_all_clear', 'no_all_clear'],
      (s) => {
        s.sms.bobUp = sms(901, bob, texts.unconfirmed_resolved)
      },
    ],
    [
      'it is closed by hand, and they hear that mail returns',
      ['groundless_all_clear'],
      (s) => {
        s.log.resolved = event(900, 'resolved_by_hand', { pages_cancelled: 0 })
      },
    ],
    [
      'the trouble is told of after the all-clear',
      ['after_all_clear'],
      (s) => {
        s.policy = { steps: [step(0, 'alice'), step(890, 'bob')], repeat: 0 }
        s.log.paged1 = event(890, 'paged', { step: 1, round: 0, to: ['bob'] })
        s.sms.bobDown = sms(905, bob, texts.down)
      },
    ],
  ]
  test.each(spoiled)('%s: %j', (_, expected, change) => {
    expect(kinds(change)).toEqual(expected)
  })
})

test('every text of the product is read as what it is, and so is its repeat', () => {
  const told = { ...texts, closed: closedText(facts, 'resolved_by_hand') }
  for (const [kind, text] of Object.entries(told)) {
    expect(read(sms(0, alice, text))).toMatchObject({ told: kind, code, repeated: false })
    expect(read(sms(0, alice, markRepeat(text)))).toMatchObject({ told: kind, code, repeated: true })
  }
  expect(read(sms(0, alice, downText({ ...facts, flapping: true })))).toMatchObject({ told: 'down', code })
})
