/** The colours in use: what the person chose, or what the device says. */
import { createContext } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { keptTheme, type Theme } from '../browser.ts'

/** `dark` or `light`: canvas drawings must be drawn anew when it changes. */
export const ThemeContext = createContext<'light' | 'dark'>('dark')

export function useTheme(): { theme: Theme; shown: 'light' | 'dark'; choose: (theme: Theme) => void } {
  const [theme, setTheme] = useState<Theme>(keptTheme.read)
  const [deviceDark, setDeviceDark] = useState(() => matchMedia('(prefers-color-scheme: dark)').matches)
  useEffect(() => {
    const query = matchMedia('(prefers-color-scheme: dark)')
    const listener = () => setDeviceDark(query.matches)
    query.addEventListener('change', listener)
    return () => query.removeEventListener('change', listener)
  }, [])
  // Before the views draw: a canvas reads its colours from the style in force.
  document.documentElement.dataset.theme = theme
  const choose = (chosen: Theme) => {
    keptTheme.write(chosen)
    setTheme(chosen)
  }
  return { theme, shown: theme === 'auto' ? (deviceDark ? 'dark' : 'light') : theme, choose }
}
