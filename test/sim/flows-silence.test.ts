/** Why an incident was told to nobody: each reason is counted apart, and none of them hides a page that is missing. */
import { describe, expect, test } from 'vitest'
import { event, givenUp, historyOf, instead, keptBack, nobodyHears, onlyPast, type Story } from '../support/told-story.ts'
import { judgeFlows } from './flows/oracle.ts'
import { silencesOf } from './flows/silence.ts'

const kinds = (change: (story: Story) => void) => [...new Set(judgeFlows(historyOf(change)).map(({ kind }) => kind))].sort()

describe('an incident is told to nobody', () => {
  const silent: [string, string[], string[], (story: Story) => void][] = [
    [
      'nobody says why',
      ['untold'],
      [],
      (s) => {
        s.policy = null
        instead(s)
      },
    ],
    ['the first step is never taken', ['skipped_step', 'untold'], [], (s) => instead(s)],
    [
      'there is no policy',
      [],
      ['no_policy'],
      (s) => {
        s.policy = null
        instead(s, event(0, 'no_policy'))
      },
    ],
    [
      'there is said to be no policy',
      ['groundless_silence', 'skipped_step'],
      ['no_policy'],
      (s) => instead(s, event(0, 'no_policy')),
    ],
    [
      'nobody of the policy has a phone',
      [],
      ['nobody_to_page'],
      (s) => {
        s.contacts.clear()
        instead(s, event(0, 'nobody_to_page', { step: 0, round: 0 }), event(300, 'nobody_to_page', { step: 1, round: 0 }))
      },
    ],
    [
      'they are said to have none',
      ['groundless_silence'],
      ['nobody_to_page'],
      (s) => instead(s, event(0, 'nobody_to_page', { step: 0, round: 0 }), event(300, 'nobody_to_page', { step: 1, round: 0 })),
    ],
    [
      'it is over before maintenance is',
      [],
      ['maintenance'],
      (s) => {
        s.windows.push([-100, 1000])
        instead(s, event(0, 'page_suppressed_by_maintenance'))
      },
    ],
    [
      'it outlasts maintenance',
      ['skipped_step', 'untold'],
      [],
      (s) => {
        s.windows.push([-100, 200])
        instead(s, event(0, 'page_suppressed_by_maintenance'))
      },
    ],
    ['it was in maintenance, all of it, and is heard of later', [], ['maintenance'], (s) => keptBack(s, [50, 650], [90, 590])],
    ['it went on after maintenance', ['groundless_silence'], ['maintenance'], (s) => keptBack(s, [50, 300], [90, 590])],
    ['it began before maintenance', ['groundless_silence'], ['maintenance'], (s) => keptBack(s, [150, 650], [90, 590])],
    ['it is heard of in maintenance', ['groundless_silence'], ['maintenance'], (s) => keptBack(s, [850, 1000], [90, 590])],
    [
      'there is said to be maintenance',
      ['groundless_silence', 'skipped_step'],
      [],
      (s) => instead(s, event(0, 'page_suppressed_by_maintenance')),
    ],
    [
      'the hour is said to have its notices, and has none',
      ['groundless_silence'],
      ['series'],
      (s) => {
        onlyPast(s)
        instead(s, event(900, 'page_suppressed_by_flapping'))
      },
    ],
    [
      'a guard of the fleet holds it that cannot be',
      ['groundless_silence', 'skipped_step'],
      [],
      (s) => instead(s, event(0, 'page_held_by_fleet_guard')),
    ],
    [
      'many others are said to be told of with it',
      ['groundless_silence', 'skipped_step'],
      [],
      (s) => instead(s, event(0, 'page_suppressed_by_blind_spell')),
    ],
    [
      'it is over before a gateway is back',
      [],
      ['cancelled'],
      (s) => {
        nobodyHears(s)
        s.deaf = [[-100, 850]]
        s.log.resolved = event(900, 'resolved', { pages_cancelled: 2 })
      },
    ],
    [
      'its pages are taken back although a gateway accepts',
      ['lost_page'],
      ['cancelled'],
      (s) => {
        nobodyHears(s)
        s.log.resolved = event(900, 'resolved', { pages_cancelled: 2 })
      },
    ],
    [
      'its pages are gone, and were not taken back',
      ['lost_page'],
      ['cancelled'],
      (s) => {
        nobodyHears(s)
        s.deaf = [[-100, 850]]
      },
    ],
    ['no gateway takes a page for half an hour, and somebody has acknowledged', [], ['failed'], givenUp(1600)],
    [
      'a page is given up that nobody has acknowledged',
      ['lost_page'],
      ['failed'],
      (s) => {
        givenUp(1600)(s)
        s.log.acknowledged = event(1700, 'acknowledged')
        s.log.paged1 = event(300, 'paged', { step: 1, round: 0, to: [] })
      },
    ],
    ['a page is given up too soon', ['lost_page'], ['failed'], givenUp(60)],
    [
      'a page is given up while a gateway accepts',
      ['lost_page'],
      ['failed'],
      (s) => {
        givenUp(1600)(s)
        s.deaf = [[0, 1500]]
      },
    ],
  ]
  test.each(silent)('%s: %j, counted as %j', (_, expected, silences, change) => {
    expect(kinds(change)).toEqual(expected)
    expect(silencesOf(historyOf(change))).toEqual(silences)
  })
})
