/** What is wrong with the mail and where it died, in words for the person who is woken by it. */
import { formatDuration } from '../../common/durations.ts'
import type { Outcome } from '../../common/wire/test.ts'
import { type Diagnosis, diagnose, type Place, type TestEvidence } from './diagnosis.ts'
import type { VoteView } from './evidence.ts'

/** `place`: null where no probe has a result that could tell it. */
export type Cause = { outcome: Outcome | 'no_data'; place: Place | null; text: string }

/**
 * The vantages with the outcome that most failing ones report, or where none fails yet, that of those whose word does not count; of
 * outcomes reported equally often, the first.
 */
export function leadingFailures(votes: readonly VoteView[]): VoteView[] {
  const others = votes.filter((vote) => vote.outcome !== null && vote.vote !== 'pass')
  const sure = others.filter((vote) => vote.vote === 'fail')
  const failing = sure.length > 0 ? sure : others
  const alike = (outcome: Outcome | null) => failing.filter((vote) => vote.outcome === outcome)
  const [first] = failing.toSorted((a, b) => alike(b.outcome).length - alike(a.outcome).length)
  return first === undefined ? [] : alike(first.outcome)
}

/** Told by the vantage whose evidence says most; `evidence` is by test id. */
export function describeCause(
  failures: readonly VoteView[],
  evidence: ReadonlyMap<string, TestEvidence>,
  timeoutS: number,
): Cause {
  const told = failures.flatMap((vote) => {
    if (vote.outcome === null) return []
    const test = evidence.get(vote.test_id ?? '') ?? { outcome: vote.outcome, detail: {}, late: null }
    return [{ vote, outcome: vote.outcome, test, diagnosis: diagnose(test) }]
  })
  const best = told.find(({ diagnosis }) => diagnosis?.evidence !== 'nothing') ?? told[0]
  if (best === undefined) return { outcome: 'no_data', place: null, text: 'no probe has a result to show' }
  const { vote, outcome, test, diagnosis } = best
  if (diagnosis === null) return { outcome, place: null, text: 'mail returns' }
  const place = vote.vote === 'abstain' ? 'our_side' : diagnosis.place
  return { outcome, place, text: sentence(diagnosis, test, timeoutS) }
}

function sentence({ evidence, words }: Diagnosis, { detail, late }: TestEvidence, timeoutS: number): string {
  const server = detail.mx ?? 'the mail server'
  const said = words === null ? '' : `: ${words}`
  const notBack = `not back in ${formatDuration(timeoutS * 1000)}`
  const after = late === null ? '' : `, after ${formatDuration(late.rtt_ms)}`
  switch (evidence) {
    case 'not_run':
      return 'the test could not run'
    case 'blocked':
      return `${server} blocks our address${said}`
    case 'late_on_the_way_back':
      return `mail comes back late${after}, held on its way back`
    case 'late':
      return `mail comes back late${after}`
    case 'no_route':
      return `no mail server is found in DNS${said}`
    case 'no_connection':
      return brokeOff(detail.stage) ? `${server} breaks off at ${detail.stage}${said}` : `no connection to ${server}`
    case 'no_tls':
      return `no TLS with ${server}${said}`
    case 'no_login':
      return `login fails${said}`
    case 'refused':
      return `${server} refuses the mail${said}`
    case 'deferred':
      return `${server} defers the mail${said}`
    case 'unstamped':
      return 'mail came back without the stamp of the responder'
    case 'responder_failed':
      return `the responder fails${said}`
    case 'bounced_after_delay':
    case 'bounced':
      return `mail bounced${said}`
    case 'delayed':
      return `mail accepted, then held up${said}`
    case 'unanswered':
      return `${server} took the mail without an answer, ${notBack}`
    case 'nothing':
      return `mail accepted, ${notBack}`
  }
}

/** The connection was there, and ended within the dialogue. */
const brokeOff = (stage: string | undefined): boolean => stage !== undefined && stage !== 'connect'
