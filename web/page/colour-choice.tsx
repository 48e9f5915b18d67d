/** Chooses what the wells are coloured by. */
import type { Colouring } from "./colours.ts";

export interface ColourChoiceProps {
  readonly choices: readonly Pick<Colouring, "id" | "title">[];
  readonly chosen: string;
  readonly onChoose: (id: string) => void;
}

export const ColourChoice = ({ choices, chosen, onChoose }: ColourChoiceProps) => (
  <label>
    Colour{" "}
    <select value={chosen} onChange={({ currentTarget }) => onChoose(currentTarget.value)}>
      {choices.map(({ id, title }) => (
        <option key={id} value={id}>
          {title}
        </option>
      ))}
    </select>
  </label>
);
