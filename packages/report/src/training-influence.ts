// Which training prompts asked for the values: those whose own gradient goes most along with them, and least.
import { scaleLinear } from 'd3-scale';
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { numberText, scoreText, tenth } from './number-text.js';
import type { SteeringInfluenceRecord } from './steering-explanations.js';
import { bare } from './token-words.js';

type Influential = SteeringInfluenceRecord['most'][number];
const [width, height] = [72, 16];

export function trainingInfluence({ examples, most, least }: SteeringInfluenceRecord): Markup | false {
  if (most.length + least.length === 0) return false;
  const group = (title: string, prompts: readonly Influential[]): Markup | false =>
    prompts.length > 0 &&
    html`<tbody>
      <tr>
        <th scope="rowgroup" colspan="5">${title}</th>
      </tr>
      ${prompts.map(row)}
    </tbody>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Training prompts by their alignment">
      <table class="numbers influence">
        <thead>
          <tr>
            <th scope="col">Alignment</th>
            <th scope="col">Prompt</th>
            <th scope="col">●</th>
            <th scope="col">■</th>
            <th scope="col" class="number">‖∂L/∂θ‖</th>
          </tr>
        </thead>
        ${group('Most in line with the values', most)} ${group('Least in line with them', least)}
      </table>
    </div>
    <p class="note">
      Of ${numberText(examples, 9)} prompts learnt from. Alignment is the cosine, from −1 to 1, of the step −∂L/∂θ that
      a prompt’s own loss asks for in the untouched model, and the values θ: 1 where they are just what it asks for,
      below 0 where they go against it.
    </p>`;
}

function row({ text, correct, wrong, alignment, norm }: Influential): Markup {
  return html`<tr>
    <td class="aligned-by"><span>${scoreText(alignment, 2)}</span>${alignment !== null && cosine(alignment)}</td>
    <td class="words"><bdi>${text}</bdi></td>
    <td class="helps-text"><bdi>${bare(correct)}</bdi></td>
    <td class="hinders-text"><bdi>${bare(wrong)}</bdi></td>
    <td class="number">${numberText(norm)}</td>
  </tr>`;
}

/** A bar from 0 between −1 and 1. */
function cosine(alignment: number): Markup {
  const x = scaleLinear([-1, 1], [4, width - 4]).clamp(true);
  const [zero, end] = [tenth(x(0)), tenth(x(alignment))];
  return html`<svg
    class="plot cosine"
    viewBox="0 0 ${width} ${height}"
    width="${width}"
    height="${height}"
    aria-hidden="true"
  >
    <path class="axis" d="M4 8H${width - 4}M4 5V11M${width - 4} 5V11M${zero} 1V15" />
    <g class="drops ${alignment < 0 ? 'harmful' : 'needed'}"><path class="bar" d="M${zero} 3H${end}V13H${zero}Z" /></g>
  </svg>`;
}
