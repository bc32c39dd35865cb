/** Asks for the API key. */
import { useState } from 'preact/hooks'
import { createApi } from '../api/client.ts'
import { errorSentence } from '../api/problem.ts'
import type { Me } from '../api/resources.ts'
import { browser } from '../browser.ts'
import { Logo } from '../parts/header.tsx'

export function SignIn({ sentence, onKey }: { sentence: string | null; onKey: (key: string) => void }) {
  const [key, setKey] = useState('')
  const [busy, setBusy] = useState(false)
  const [fault, setFault] = useState(sentence)
  const submit = async (event: Event) => {
    event.preventDefault()
    const typed = key.trim()
    if (typed === '') return setFault('Enter an API key first.')
    setBusy(true)
    try {
      await createApi({
        base: '.',
        key: typed,
        fetch: browser.fetch,
        clock: browser,
        randomId: browser.randomId,
        onServerClock: () => undefined,
      }).get<Me>('/me')
      onKey(typed)
    } catch (error) {
      setFault(errorSentence(error))
      setBusy(false)
    }
  }
  return (
    <main class="sign-in">
      <form class="panel sign-in-card" onSubmit={submit}>
        <p class="sign-in-brand">
          <Logo />
          Mailscout
        </p>
        <h1>Sign in</h1>
        <p class="quiet">Is mail coming back? Sign in with an API key to see.</p>
        <label class="field">
          <span>API key</span>
          <input
            type="password"
            autoComplete="current-password"
            spellcheck={false}
            value={key}
            onInput={(event) => setKey(event.currentTarget.value)}
            aria-describedby="key-help"
            aria-invalid={fault !== null}
          />
        </label>
        {fault !== null && (
          <p class="field-fault" role="alert">
            {fault}
          </p>
        )}
        <button type="submit" class="button button-primary button-wide" disabled={busy}>
          {busy ? 'Checking…' : 'Sign in'}
        </button>
        <p class="quiet small" id="key-help">
          The operator’s key was printed when the coordinator first started. Keys for customers are made under{' '}
          <code>/v1/api-keys</code>. It is kept for this tab only.
        </p>
      </form>
    </main>
  )
}
