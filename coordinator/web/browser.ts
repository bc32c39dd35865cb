/** The browser as the dashboard's runtime: the only module here that reads a clock, draws randomness or keeps anything. */

export const browser = {
  wallMs: (): number => Date.now(),
  random: (): number => (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) / 2 ** 32,
  /** crypto.randomUUID exists only on https, and a dashboard in a private network may be plain http. */
  randomId: (): string =>
    Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join(''),
  setTimer(delayMs: number, callback: () => void): () => void {
    const timer = setTimeout(callback, delayMs)
    return () => clearTimeout(timer)
  },
  fetch: (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => fetch(input, init),
}

export type Theme = 'auto' | 'light' | 'dark'
const keyItem = 'mailscout.key'
const themeItem = 'mailscout.theme'

/** The key lives as long as the tab: a shared wall screen forgets it when it is closed. */
export const keptKey = {
  read: (): string | null => read(() => sessionStorage.getItem(keyItem)),
  write: (key: string): void => attempt(() => sessionStorage.setItem(keyItem, key)),
  forget: (): void => attempt(() => sessionStorage.removeItem(keyItem)),
}

export const keptTheme = {
  read(): Theme {
    const theme = read(() => localStorage.getItem(themeItem))
    return theme === 'light' || theme === 'dark' ? theme : 'auto'
  },
  write: (theme: Theme): void => attempt(() => localStorage.setItem(themeItem, theme)),
}

/** A browser may forbid storage; then nothing is kept, and all else works. */
function read(get: () => string | null): string | null {
  try {
    return get()
  } catch {
    return null
  }
}

function attempt(set: () => void): void {
  try {
    set()
  } catch {
    // Nothing to do: see `read`.
  }
}
