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

/**
 * Told by the vantage whose evidence says most; `evidence` is by test id. `passing`: the regions whose mail returns, where nothing fails and
 * they are too few.
 */
export function describeCause(
  failures: readonly VoteView[],
  evidence: ReadonlyMap<string, TestEvidence>,
  timeoutS: number,
  passing: readonly string[] = [],
): Cause {
  const told = failures.flatMap((vote) => {
    if (vote.outcome === null) return []
    const test = evidence.get(vote.test_id ?? '') ?? { outcome: vote.outcome, detail: {}, late: null }
    return [{ vote, outcome: vote.outcome, test, diagnosis: diagnose(test) }]
  })
  const best = told.find(({ diagnosis }) => diagnosis?.evidence !== 'nothing') ?? told[0]
  if (best === undefined) return { outcome: 'no_data', place: null, text: silenceText(passing) }
  const { vote, outcome, test, diagnosis } = best
  if (diagnosis === null) return { outcome, place: null, text: 'mail returns' }
  const seen = sentence(diagnosis, test, timeoutS)
  if (vote.vote !== 'abstain') return { outcome, place: diagnosis.place, text: seen }
  const why = diagnosis.place === 'our_side' ? undefined : whyNotCounted[vote.reason]
  return { outcome, place: 'our_side', text: why === undefined ? seen : `${why}: ${seen}` }
}

const silenceText = (passing: readonly string[]): string =>
  passing.length === 0
    ? 'no probe has a result to show'
    : `only ${passing.join(', ')} can tell, too few to agree: add a probe elsewhere`

/** Why the word of a probe does not count, before what it saw: whoever reads that must know at once that the trouble may be ours. */
const whyNotCounted: Partial<Record<VoteView['reason'], string>> = {
  probe_unproven: 'our probe unproven',
  fails_widely: 'our probe fails widely',
  never_passed_greylisting: 'our probe perhaps greylisted',
}

/** First what happened, then the words of who said so, then the host: a text that is cut at its end loses the name first. */
function sentence({ evidence, words }: Diagnosis, { detail, late }: TestEvidence, timeoutS: number): string {
  const said = words === null ? '' : `: ${words}`
  // The words of a bounce are not those of the first server.
  const by = detail.mx === undefined || detail.dsn_words !== undefined ? '' : ` (${detail.mx})`
  const notBack = `not back in ${formatDuration(timeoutS * 1000)}`
  const after = late === null ? '' : `, after ${formatDuration(late.rtt_ms)}`
  switch (evidence) {
    case 'not_run':
      return 'our probe could not run the test'
    case 'blocked':
      return `our address is blocked${said}${by}`
    case 'late_on_the_way_back':
      return `mail late on its way back${after}${said}`
    case 'late':
      return `mail comes back late${after}${said}`
    case 'no_route':
      return `no mail server is found in DNS${said}`
    case 'no_connection':
      if (brokeOff(detail.stage)) return `connection breaks off at ${detail.stage}${said}${by}`
      return `no connection to ${detail.mx ?? 'the mail server'}`
    case 'no_tls':
      return `no TLS${said}${by}`
    case 'no_login':
      return `login fails${said}${by}`
    case 'refused':
      return `mail refused${said}${by}`
    case 'deferred':
      return `mail deferred${said}${by}`
    case 'unstamped':
      return 'mail came back without the stamp of the responder'
    case 'responder_failed':
      return `responder fails${said}`
    case 'bounced_after_delay':
    case 'bounced':
      return `mail bounced${said}`
    case 'delayed':
      return `mail held up${said}`
    case 'unanswered':
      return `no answer to the mail, ${notBack}${by}`
    case 'nothing':
      return `mail accepted, ${notBack}${said}${by}`
  }
}

/** The connection was there, and ended within the dialogue. */
const brokeOff = (stage: string | undefined): boolean => stage !== undefined && stage !== 'connect'
