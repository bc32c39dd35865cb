/** The way of a mail as stations: what it passed, and where it died. */
import type { Place } from '../api/resources.ts'
import { placeMeaning, placeWord, stations } from '../words/places.ts'
import { StateShape } from './mark.tsx'

export function Way({ place }: { place: Place }) {
  const way = stations(place)
  return (
    <div class="way">
      {way.length > 0 && (
        <ol class="way-stations" aria-label="The way of the mail">
          {way.map(({ name, mark }) => (
            <li key={name} class={`way-station tone-${mark.tone}`}>
              <StateShape shape={mark.shape} />
              {name}
              <span class="hidden">: {mark.word}</span>
            </li>
          ))}
        </ol>
      )}
      <p class="small">
        <span class="quiet">Where: </span>
        <strong>{placeWord(place)}.</strong> <span class="quiet">{placeMeaning(place)}</span>
      </p>
    </div>
  )
}
