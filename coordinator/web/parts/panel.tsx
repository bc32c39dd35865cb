/** The frame of every part of a page, and what it shows when there is nothing to show. */
import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'

type PanelProps = {
  title: string
  note?: ComponentChildren
  tools?: ComponentChildren
  class?: string
  children: ComponentChildren
}

export function Panel({ title, note, tools, class: extra, children }: PanelProps) {
  const id = useId()
  return (
    <section class={`panel ${extra ?? ''}`} aria-labelledby={id}>
      <header class="panel-head">
        <h2 id={id}>
          {title}
          {note !== undefined && <span class="panel-note">{note}</span>}
        </h2>
        {tools}
      </header>
      {children}
    </section>
  )
}

/** An empty place says what will be here and what to do next. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  )
}

export function Failure({ sentence, onRetry }: { sentence: string; onRetry?: () => void }) {
  return (
    <div class="failure" role="alert">
      <p>{sentence}</p>
      {onRetry !== undefined && (
        <button type="button" class="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  )
}

export function Waiting({ what }: { what: string }) {
  return (
    <p class="waiting" role="status">
      Loading {what}…
    </p>
  )
}
