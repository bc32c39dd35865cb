/** The running dashboard of one signed-in person: state, API and connection, handed to the views by context. */
import { createContext } from 'preact'
import { useContext, useEffect, useMemo, useReducer, useState } from 'preact/hooks'
import { type Api, createApi } from '../api/client.ts'
import { runLive } from '../api/live.ts'
import { ApiError, errorSentence } from '../api/problem.ts'
import type { Customer, Incident, Me, Monitor, Page, Probe } from '../api/resources.ts'
import { browser } from '../browser.ts'
import { reduce } from './reduce.ts'
import { type Action, initialState, type Picture, type State } from './state.ts'

export type Session = {
  api: Api
  state: State
  dispatch: (action: Action) => void
  /** How far the coordinator's clock is ahead of this device's. */
  serverOffsetMs: number
  mayAct: boolean
  signOut: (sentence?: string) => void
}

const SessionContext = createContext<Session | null>(null)
export const SessionProvider = SessionContext.Provider

export function useSession(): Session {
  const session = useContext(SessionContext)
  if (session === null) throw new Error('a view was rendered outside of a session')
  return session
}

/** More than a screen can show; beyond it the overview says that it does not show all. */
const monitorsMax = 5000
const incidentsMax = 200
const pagesShownMax = 100
const probesMax = 1000
const customersMax = 2000
/** What the stream does not tell (a monitor that was deleted) is seen at the latest after this. */
const reloadMs = 5 * 60_000
/** A probe that falls silent does nothing that the stream could tell: its state and "seen" are asked for. */
const reloadProbesMs = 20_000

export function useLiveSession(key: string, signOut: (sentence?: string) => void): Session {
  const [state, dispatch] = useReducer(reduce, initialState)
  const [serverOffsetMs, onServerClock] = useState(0)
  const api = useMemo(
    () => createApi({ base: '.', key, fetch: browser.fetch, clock: browser, randomId: browser.randomId, onServerClock }),
    [key],
  )
  useEffect(() => {
    const load = async () => {
      dispatch({ type: 'load_started' })
      const picture = await loadPicture(api).catch((error: unknown) => {
        dispatch({ type: 'load_failed' })
        throw error
      })
      dispatch({ type: 'loaded', picture })
    }
    const end = runLive(api, browser, {
      onConnecting: () => dispatch({ type: 'connecting' }),
      load,
      onLive: () => dispatch({ type: 'live', nowMs: browser.wallMs() }),
      onEvents: (events) => dispatch({ type: 'events', events, nowMs: browser.wallMs() }),
      onLost: (error, retryAtMs) => dispatch({ type: 'lost', retryAtMs, sentence: errorSentence(error) }),
      onRefused: (error) => signOut(error.message),
    })
    const loadProbes = async () => {
      const probes = await allowed(api.list<Probe>('/probes', probesMax))
      if (probes === null) return clearInterval(reloadProbes)
      const events = probes.items.map((resource) => ({ kind: 'probe' as const, resource }))
      dispatch({ type: 'events', events, nowMs: browser.wallMs() })
    }
    const reload = setInterval(() => void load().catch(() => undefined), reloadMs)
    const reloadProbes = setInterval(() => void loadProbes().catch(() => undefined), reloadProbesMs)
    return () => {
      clearInterval(reload)
      clearInterval(reloadProbes)
      end()
    }
  }, [api, signOut])
  return { api, state, dispatch, serverOffsetMs, mayAct: state.me !== null && state.me.scope !== 'read', signOut }
}

async function loadPicture(api: Api): Promise<Picture> {
  const me = await api.get<Me>('/me')
  const [monitors, incidents, pages, probes, customers] = await Promise.all([
    api.list<Monitor>('/monitors', monitorsMax),
    api.list<Incident>('/incidents', incidentsMax),
    api.list<Page>('/pages', pagesShownMax),
    allowed(api.list<Probe>('/probes', probesMax)),
    me.scope === 'operator' ? allowed(api.list<Customer>('/customers', customersMax)) : null,
  ])
  return {
    me,
    customers: customers?.items ?? [],
    monitors: monitors.items,
    incidents: incidents.items,
    pages: pages.items,
    probes: probes?.items ?? null,
    complete: monitors.complete,
  }
}

/** A list that this key may not see is absent, which is no fault. */
async function allowed<T>(list: Promise<T>): Promise<T | null> {
  return list.catch((error: unknown) => {
    if (error instanceof ApiError && (error.status === 403 || error.status === 404)) return null
    throw error
  })
}
