/** What is wrong with the mail, in words for the person who is woken by it. */
import { formatDuration } from '../../common/durations.ts'
import type { Outcome } from '../../common/wire/test.ts'
import type { VoteView } from './evidence.ts'

export type CauseFacts = {
  timeout_s: number
  /** The mail server's own words, where it said any. */
  server_words: string | null
  mx: string | null
}

export type Cause = { outcome: Outcome | 'no_data'; text: string }

/** The outcome that most failing vantages report, or where none fails yet, those whose word does not count; of equals, the first. */
export function leadingFailure(votes: readonly VoteView[]): VoteView | null {
  const others = votes.filter((vote) => vote.outcome !== null && vote.vote !== 'pass')
  const sure = others.filter((vote) => vote.vote === 'fail')
  const failing = sure.length > 0 ? sure : others
  const count = (outcome: Outcome | null) => failing.filter((vote) => vote.outcome === outcome).length
  return failing.toSorted((a, b) => count(b.outcome) - count(a.outcome))[0] ?? null
}

export function describeCause(outcome: Outcome | null, facts: CauseFacts): Cause {
  if (outcome === null) return { outcome: 'no_data', text: 'no probe has a result to show' }
  return { outcome, text: sentence(outcome, facts) }
}

function sentence(outcome: Outcome, { timeout_s, server_words, mx }: CauseFacts): string {
  const server = mx ?? 'the mail server'
  const words = server_words === null ? '' : `: ${server_words}`
  switch (outcome) {
    case 'timeout':
      return `mail accepted, not back in ${formatDuration(timeout_s * 1000)}`
    case 'echo':
      return 'mail came back without the stamp of the responder'
    case 'bounced':
      return `mail bounced${words}`
    case 'refused':
      return `${server} refuses the mail${words}`
    case 'deferred':
      return `${server} defers the mail${words}`
    case 'unreachable':
      return `no connection to ${server}`
    case 'tls':
      return `no TLS with ${server}${words}`
    case 'dns':
      return `the domain has no working MX${words}`
    case 'auth':
      return `login fails${words}`
    case 'blocked':
      return `${server} blocks our address${words}`
    case 'not_run':
      return 'the test could not run'
    case 'ok':
    case 'slow':
      return 'mail returns'
  }
}
