/** The shapes that stand beside every state word, and the ways to show the two together. */
import type { ComponentChildren } from 'preact'
import type { Mark as MarkWords, Shape } from '../words/verdicts.ts'

const paths: Record<Shape, ComponentChildren> = {
  check: [<circle key="c" cx="8" cy="8" r="7" class="fill" />, <path key="p" d="m4.9 8.2 2.2 2.2 4.1-4.6" class="cut" />],
  clock: [<circle key="c" cx="8" cy="8" r="6.1" class="line" />, <path key="p" d="M8 4.6V8l2.3 1.6" class="line" />],
  alert: [<path key="t" d="M8 1.4 15.2 14H.8Z" class="fill round" />, <path key="p" d="M8 6v3.6M8 11.7v.1" class="cut" />],
  half: [<circle key="c" cx="8" cy="8" r="6.1" class="line" />, <path key="p" d="M8 1.9a6.1 6.1 0 0 1 0 12.2Z" class="fill" />],
  cross: [
    <rect key="r" x="1" y="1" width="14" height="14" rx="3" class="fill" />,
    <path key="p" d="m5.1 5.1 5.8 5.8m0-5.8-5.8 5.8" class="cut" />,
  ],
  question: [
    <path key="d" d="M8 .8 15.2 8 8 15.2.8 8Z" class="fill round" />,
    <path key="p" d="M6.3 6.5a1.7 1.7 0 1 1 2.5 1.5c-.6.3-.8.6-.8 1.1M8 11.2v.1" class="cut" />,
  ],
  dash: [<circle key="c" cx="8" cy="8" r="6.1" class="line" />, <path key="p" d="M5.2 8h5.6" class="line" />],
  dots: [
    <circle key="a" cx="3" cy="8" r="1.5" class="fill" />,
    <circle key="b" cx="8" cy="8" r="1.5" class="fill" />,
    <circle key="c" cx="13" cy="8" r="1.5" class="fill" />,
  ],
  pause: [<circle key="c" cx="8" cy="8" r="6.1" class="line" />, <path key="p" d="M6.4 5.6v4.8M9.6 5.6v4.8" class="line" />],
  ring: [<circle key="c" cx="8" cy="8" r="6.1" class="line dashed" />],
}

export function StateShape({ shape }: { shape: Shape }) {
  return (
    <svg class="shape" viewBox="0 0 16 16" aria-hidden="true">
      {paths[shape]}
    </svg>
  )
}

/** Shape and word in a line of text. */
export function Mark({ mark }: { mark: MarkWords }) {
  return (
    <span class={`mark tone-${mark.tone}`} title={mark.meaning === '' ? undefined : mark.meaning}>
      <StateShape shape={mark.shape} />
      <span class="mark-word">{mark.word}</span>
    </span>
  )
}

/** Shape and word as a badge: the state of a thing as a whole. */
export function Badge({ mark }: { mark: MarkWords }) {
  return (
    <span class={`badge tone-${mark.tone}`} title={mark.meaning === '' ? undefined : mark.meaning}>
      <StateShape shape={mark.shape} />
      {mark.word}
    </span>
  )
}
