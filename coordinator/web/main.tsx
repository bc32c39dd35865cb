import { render } from 'preact'
import { App } from './app.tsx'
import './styles/tokens.css'
import './styles/base.css'
import './styles/layout.css'
import './styles/parts.css'
import './styles/monitors.css'
import './styles/incidents.css'
import './styles/chart.css'
import './styles/legs.css'

const root = document.getElementById('app')
if (root !== null) render(<App />, root)
