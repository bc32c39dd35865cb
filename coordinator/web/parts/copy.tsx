/** Text to take away: a block of code with a button that copies it. */
import { useRef, useState } from 'preact/hooks'
import { browser } from '../browser.ts'

export function CopyBlock({ text, label }: { text: string; label: string }) {
  const block = useRef<HTMLPreElement>(null)
  const [said, setSaid] = useState('Copy')
  const copy = async () => {
    const done = await writeClipboard(text, block.current)
    setSaid(done ? 'Copied' : 'Selected: press Ctrl+C')
    browser.setTimer(2500, () => setSaid('Copy'))
  }
  return (
    <div class="copy">
      <div class="copy-bar">
        <code>{label}</code>
        <button type="button" class="button button-small" onClick={copy} aria-live="polite">
          {said}
          <span class="hidden"> {label}</span>
        </button>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: long lines scroll sideways, also by keyboard. */}
      <section class="copy-text" tabIndex={0} aria-label={label}>
        <pre ref={block}>{text}</pre>
      </section>
    </div>
  )
}

/** The clipboard exists only on https; on plain http the text is selected instead. */
async function writeClipboard(text: string, block: HTMLElement | null): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    if (block !== null) getSelection()?.selectAllChildren(block)
    return false
  }
}
