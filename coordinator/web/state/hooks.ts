/** Hooks that more than one view uses. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { errorSentence } from '../api/problem.ts'
import { browser } from '../browser.ts'
import { useSession } from './session.tsx'

/** One timer for the whole page; every subscriber hears the same tick, so that ages change together. */
const listeners = new Set<() => void>()
let cancelTick: (() => void) | undefined

function tick(): void {
  cancelTick = listeners.size === 0 ? undefined : browser.setTimer(1000 - (browser.wallMs() % 1000), tick)
  for (const listener of listeners) listener()
}

/** The coordinator's time in milliseconds, renewed every second. */
export function useNow(): number {
  const { serverOffsetMs } = useSession()
  const [wallMs, setWallMs] = useState(browser.wallMs)
  useEffect(() => {
    const listener = () => setWallMs(browser.wallMs())
    listeners.add(listener)
    if (cancelTick === undefined) tick()
    return () => {
      listeners.delete(listener)
    }
  }, [])
  return wallMs + serverOffsetMs
}

export type Loading<T> = { state: 'loading' } | { state: 'ready'; value: T } | { state: 'failed'; sentence: string }

/** Loads when `key` changes; a load that was overtaken is dropped. `reload` starts it again. */
export function useLoad<T>(load: () => Promise<T>, key: string | null): [Loading<T>, () => void] {
  const [loading, setLoading] = useState<Loading<T>>({ state: 'loading' })
  const [round, setRound] = useState(0)
  const latest = useRef(load)
  latest.current = load
  // `round` is what asks for another load.
  useEffect(() => {
    if (key === null) return
    let overtaken = false
    latest
      .current()
      .then((value) => !overtaken && setLoading({ state: 'ready', value }))
      .catch((error: unknown) => !overtaken && setLoading({ state: 'failed', sentence: errorSentence(error) }))
    return () => {
      overtaken = true
    }
  }, [key, round])
  return [loading, useCallback(() => setRound((value) => value + 1), [])]
}

export type Doing = { state: 'idle' } | { state: 'busy' } | { state: 'done' } | { state: 'failed'; sentence: string }

/** A button's action: busy while it runs, and a sentence when it fails. */
export function useAction(run: () => Promise<void>): [Doing, () => void] {
  const [doing, setDoing] = useState<Doing>({ state: 'idle' })
  const start = () => {
    if (doing.state === 'busy') return
    setDoing({ state: 'busy' })
    run().then(
      () => setDoing({ state: 'done' }),
      (error: unknown) => setDoing({ state: 'failed', sentence: errorSentence(error) }),
    )
  }
  return [doing, start]
}
