/** A choice of one among few, as radio buttons side by side. */
type Props<T extends string | number> = {
  legend: string
  name: string
  options: readonly { value: T; label: string }[]
  value: T
  onChange: (value: T) => void
}

export function Segments<T extends string | number>({ legend, name, options, value, onChange }: Props<T>) {
  return (
    <fieldset class="segments">
      <legend class="hidden">{legend}</legend>
      {options.map((option) => (
        <label key={option.value} class={option.value === value ? 'segment chosen' : 'segment'}>
          <input type="radio" name={name} checked={option.value === value} onChange={() => onChange(option.value)} />
          {option.label}
        </label>
      ))}
    </fieldset>
  )
}
