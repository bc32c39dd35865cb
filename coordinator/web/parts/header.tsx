/** The bar on top: where we are, whether what is shown is live, what time it is. */
import type { Theme } from '../browser.ts'
import { useNow } from '../state/hooks.ts'
import { useSession } from '../state/session.tsx'
import { overviewHref } from '../words/routes.ts'
import { clockTime, howLong } from '../words/time.ts'
import { StateShape } from './mark.tsx'

const nextTheme: Record<Theme, Theme> = { auto: 'dark', dark: 'light', light: 'auto' }
const themeWord: Record<Theme, string> = { auto: 'Auto', dark: 'Dark', light: 'Light' }

export function Header({ theme, onTheme }: { theme: Theme; onTheme: (theme: Theme) => void }) {
  const { state, signOut } = useSession()
  const now = useNow()
  return (
    <header class="top">
      <a class="brand" href={overviewHref}>
        <Logo />
        Mailscout
      </a>
      <LinkState />
      <span class="top-space" />
      <span class="top-clock num">{clockTime(now, true)} UTC</span>
      <button
        type="button"
        class="button button-quiet"
        onClick={() => onTheme(nextTheme[theme])}
        title="Colours: as the device, dark or light"
      >
        <ThemeShape />
        <span class="top-word">{themeWord[theme]}</span>
        <span class="hidden"> colours; change</span>
      </button>
      <button
        type="button"
        class="button button-quiet"
        onClick={() => signOut()}
        title={state.me === null ? undefined : `Signed in as ${state.me.scope}`}
      >
        Sign out
      </button>
    </header>
  )
}

function LinkState() {
  const { state } = useSession()
  const { link } = state
  if (link.state === 'live') {
    return (
      <span class="link tone-good" role="status">
        <StateShape shape="check" />
        Live
      </span>
    )
  }
  const word = link.state === 'connecting' && !state.loaded ? 'Connecting' : 'Reconnecting'
  return (
    <span class="link tone-warn" role="status">
      <StateShape shape="clock" />
      {word}
    </span>
  )
}

/** Below the bar while the picture is not live: old facts must never pass for the present. */
export function StaleNotice() {
  const { state, serverOffsetMs } = useSession()
  const now = useNow()
  const { link } = state
  if (link.state === 'live' || !state.loaded || link.liveAtMs === null) return null
  const liveAtMs = link.liveAtMs + serverOffsetMs
  const waitS = link.state === 'lost' ? Math.max(0, Math.ceil((link.retryAtMs + serverOffsetMs - now) / 1000)) : 0
  return (
    <div class="stale" role="alert">
      <StateShape shape="alert" />
      <p>
        <strong>Not live.</strong> You see the state of <span class="num">{clockTime(liveAtMs, true)} UTC</span> (
        {howLong(Math.max(0, now - liveAtMs))} old). {link.state === 'lost' && <span>{link.sentence}</span>}{' '}
        <span aria-hidden="true" class="num">
          {waitS > 0 ? `Next try in ${waitS} s.` : 'Trying now.'}
        </span>
      </p>
    </div>
  )
}

export function Logo() {
  return (
    <svg class="logo" viewBox="0 0 24 24" aria-hidden="true">
      <path d="M3.2 7.2 12 13l8.8-5.8" class="line" />
      <path d="M20.5 12.4V7a2 2 0 0 0-2-2h-13a2 2 0 0 0-2 2v10a2 2 0 0 0 2 2h7" class="line" />
      <path d="M15 18.5h6.2m0 0-2.5-2.4m2.5 2.4-2.5 2.4" class="line accent" />
    </svg>
  )
}

function ThemeShape() {
  return (
    <svg class="shape" viewBox="0 0 16 16" aria-hidden="true">
      <circle cx="8" cy="8" r="6.1" class="line" />
      <path d="M8 1.9a6.1 6.1 0 0 1 0 12.2Z" class="fill" />
    </svg>
  )
}
