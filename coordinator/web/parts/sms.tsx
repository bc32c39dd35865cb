/** A page as it stands on the phone, and what became of it. */
import type { Page } from '../api/resources.ts'
import { incidentHref } from '../words/routes.ts'
import { measured, timeOf } from '../words/time.ts'
import { pageMark, pageWord } from '../words/verdicts.ts'
import { Mark } from './mark.tsx'
import { Utc } from './when.tsx'

export function SmsList({ pages }: { pages: readonly Page[] }) {
  return (
    <ol class="sms-list">
      {pages.map((page) => (
        <Sms key={page.id} page={page} />
      ))}
    </ol>
  )
}

function Sms({ page }: { page: Page }) {
  return (
    <li class="sms">
      <p class="sms-head">
        <Utc time={page.accepted_at ?? page.due_at} seconds />
        <span>
          {page.incident_id === null ? pageWord(page) : <a href={incidentHref(page.incident_id)}>{pageWord(page)}</a>}
          {' to '}
          <span class="num nowrap">{page.address}</span>
        </span>
      </p>
      <p class={`bubble bubble-${page.kind === 'resolved' ? 'good' : page.kind === 'down' ? 'bad' : 'plain'}`}>{page.text}</p>
      <p class="sms-foot">
        <Mark mark={pageMark(page.state)} />
        <span>{fate(page)}</span>
      </p>
      {page.last_error !== null && page.state !== 'accepted' && <p class="sms-fault">{page.last_error}</p>}
    </li>
  )
}

/** By which gateway, how fast, at which attempt. */
function fate(page: Page): string {
  const parts: string[] = []
  if (page.gateway !== null) parts.push(page.state === 'accepted' ? `by ${page.gateway}` : `at ${page.gateway}`)
  if (page.accepted_at !== null)
    parts.push(`${measured(Math.max(0, timeOf(page.accepted_at) - timeOf(page.due_at)))} after it was due`)
  if (page.attempts > 1) parts.push(`attempt ${page.attempts}`)
  return parts.join(', ')
}
