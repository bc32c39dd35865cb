/** Times on the screen: UTC, with their age where that is what matters; the full time stands in the title. */
import { useNow } from '../state/hooks.ts'
import { ago, timeOf, utc } from '../words/time.ts'

type Time = string | number | null | undefined

const iso = (time: Time): string | undefined => {
  const timeMs = timeOf(time)
  return Number.isNaN(timeMs) ? undefined : new Date(timeMs).toISOString()
}

export function Age({ time }: { time: Time }) {
  const now = useNow()
  return (
    <time class="num" dateTime={iso(time)} title={iso(time)}>
      {ago(time, now)}
    </time>
  )
}

export function Utc({ time, seconds = false }: { time: Time; seconds?: boolean }) {
  const now = useNow()
  return (
    <time class="num" dateTime={iso(time)} title={iso(time)}>
      {utc(time, now, seconds)}
    </time>
  )
}
