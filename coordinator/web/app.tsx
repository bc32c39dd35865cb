/** Key ► session ► the view that the address names. */
import { useCallback, useEffect, useState } from 'preact/hooks'
import { browser, keptKey, type Theme } from './browser.ts'
import badIcon from './icons/bad.svg'
import goodIcon from './icons/good.svg'
import idleIcon from './icons/idle.svg'
import unsureIcon from './icons/unsure.svg'
import warnIcon from './icons/warn.svg'
import { Header, StaleNotice } from './parts/header.tsx'
import { Waiting } from './parts/panel.tsx'
import { ThemeContext, useTheme } from './parts/theme.ts'
import { type Session, SessionProvider, useLiveSession } from './state/session.tsx'
import { IncidentDetail } from './views/incident-detail.tsx'
import { MonitorDetail } from './views/monitor-detail.tsx'
import { Overview } from './views/overview.tsx'
import { SignIn } from './views/sign-in.tsx'
import { keyFromHash, overviewHref, parseRoute, type Route } from './words/routes.ts'
import { statusSentence, tabTitle } from './words/sentence.ts'
import type { Tone } from './words/verdicts.ts'

/** A key in the address goes to the session and leaves the address bar, so that it is not bookmarked or read over a shoulder. */
function takeKey(): string | null {
  const given = keyFromHash(location.hash)
  if (given === undefined) return keptKey.read()
  keptKey.write(given)
  history.replaceState(null, '', overviewHref)
  return given
}

export function App() {
  const [key, setKey] = useState(takeKey)
  const [sentence, setSentence] = useState<string | null>(null)
  const { theme, shown, choose } = useTheme()
  useEffect(() => {
    const listener = () => keyFromHash(location.hash) !== undefined && setKey(takeKey())
    addEventListener('hashchange', listener)
    return () => removeEventListener('hashchange', listener)
  }, [])
  const signOut = useCallback((why?: string) => {
    keptKey.forget()
    setSentence(why ?? null)
    setKey(null)
  }, [])
  const signIn = (accepted: string) => {
    keptKey.write(accepted)
    setKey(accepted)
  }
  if (key === null) return <SignIn sentence={sentence} onKey={signIn} />
  return (
    <ThemeContext value={shown}>
      <Dashboard key={key} apiKey={key} signOut={signOut} theme={theme} onTheme={choose} />
    </ThemeContext>
  )
}

type DashboardProps = { apiKey: string; signOut: (why?: string) => void; theme: Theme; onTheme: (theme: Theme) => void }

function Dashboard({ apiKey, signOut, theme, onTheme }: DashboardProps) {
  const session = useLiveSession(apiKey, signOut)
  const route = useRoute()
  useTab(session)
  const { state } = session
  return (
    <SessionProvider value={session}>
      <button type="button" class="skip button" onClick={skipToMain}>
        Skip to the content
      </button>
      <Header theme={theme} onTheme={onTheme} />
      <StaleNotice />
      {state.loaded ? <View route={route} /> : <FirstLoad session={session} />}
      <div class="hidden" aria-live="assertive" role="log">
        <p key={state.announcement.serial}>{state.announcement.text}</p>
      </div>
    </SessionProvider>
  )
}

function View({ route }: { route: Route }) {
  switch (route.view) {
    case 'monitor':
      return <MonitorDetail id={route.id} key={route.id} />
    case 'incident':
      return <IncidentDetail id={route.id} key={route.id} />
    case 'overview':
      return <Overview />
  }
}

function FirstLoad({ session }: { session: Session }) {
  const { link } = session.state
  return (
    <main id="main" class="page first-load">
      {link.state === 'lost' ? (
        <p class="failure" role="alert">
          {link.sentence}
        </p>
      ) : (
        <Waiting what="the monitors" />
      )}
    </main>
  )
}

function useRoute(): Route {
  const [route, setRoute] = useState(() => parseRoute(location.hash))
  useEffect(() => {
    const listener = () => {
      setRoute(parseRoute(location.hash))
      scrollTo(0, 0)
    }
    addEventListener('hashchange', listener)
    return () => removeEventListener('hashchange', listener)
  }, [])
  return route
}

/** A button and no link: the address after `#` names the view. */
function skipToMain(): void {
  const main = document.getElementById('main')
  main?.setAttribute('tabindex', '-1')
  main?.focus()
}

const icons: Record<Tone, string> = { good: goodIcon, warn: warnIcon, bad: badIcon, unsure: unsureIcon, idle: idleIcon }

/** The tab says the state while another one is in front. */
function useTab({ state, serverOffsetMs }: Session): void {
  const nowMs = browser.wallMs() + serverOffsetMs
  const monitors = [...state.monitors.values()]
  const title = tabTitle(monitors, nowMs)
  const icon = icons[state.link.state === 'lost' ? 'idle' : statusSentence(monitors, [], nowMs).tone]
  useEffect(() => {
    document.title = title
    document.getElementById('favicon')?.setAttribute('href', icon)
  }, [title, icon])
}
