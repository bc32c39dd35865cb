/** What to install on the mail system so that test mails come back. */
import { useState } from 'preact/hooks'
import type { ResponderGuide } from '../api/resources.ts'
import { CopyBlock } from '../parts/copy.tsx'
import { Failure, Panel, Waiting } from '../parts/panel.tsx'
import { Segments } from '../parts/segments.tsx'
import { useLoad } from '../state/hooks.ts'
import { useSession } from '../state/session.tsx'

const systems = [
  { value: 'postfix', label: 'Postfix' },
  { value: 'exim', label: 'Exim' },
  { value: 'sendmail', label: 'Sendmail' },
  { value: 'sink', label: 'Stand-alone' },
] as const
type System = (typeof systems)[number]['value']

export function ResponderGuidePanel({ monitorId }: { monitorId: string }) {
  const [open, setOpen] = useState(false)
  return (
    <Panel title="Responder">
      <p class="quiet">A small program at the target address that stamps each genuine test mail and returns it.</p>
      <details class="disclose" onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>How to install it</summary>
        {open && <Guide monitorId={monitorId} />}
      </details>
    </Panel>
  )
}

function Guide({ monitorId }: { monitorId: string }) {
  const { api } = useSession()
  const [system, setSystem] = useState<System>('postfix')
  const [loading, reload] = useLoad(
    () => api.get<ResponderGuide>(`/monitors/${encodeURIComponent(monitorId)}/responder?system=${system}`),
    `${monitorId} ${system}`,
  )
  return (
    <div class="guide">
      <Segments legend="Mail system" name="system" options={systems} value={system} onChange={setSystem} />
      {loading.state === 'loading' && <Waiting what="the steps" />}
      {loading.state === 'failed' && <Failure sentence={loading.sentence} onRetry={reload} />}
      {loading.state === 'ready' && <Steps guide={loading.value} />}
    </div>
  )
}

function Steps({ guide }: { guide: ResponderGuide }) {
  return (
    <>
      <ol class="steps">
        {guide.steps.map((step) => (
          <li key={step}>{step}</li>
        ))}
      </ol>
      {guide.files.map((file) => (
        <CopyBlock key={file.path} text={file.content} label={file.path} />
      ))}
    </>
  )
}
