// How large a diff is in every linear of every layer: heat maps of layers by maps, layers upwards, once as norms and once as shares of the weights’ own.
import { heatTable } from '../heat-table.js';
import { html } from '../markup.js';
import type { Markup } from '../markup.js';
import { numberText, percentText } from '../number-text.js';
import type { DitReadingRecord } from './reading-record.js';

type Norm = DitReadingRecord['norms'][number];

export function normMaps(norms: readonly Norm[]): Markup {
  const maps = [...new Set(norms.map(({ map }) => map))];
  const layers = [...new Set(norms.map(({ layer }) => layer))].sort((a, b) => b - a);
  const places = new Map(norms.map((each) => [`${each.layer} ${each.map}`, each]));
  const heat = (
    caption: string,
    value: (norm: Norm) => number | null | undefined,
    say: (value: number) => string,
  ): Markup => {
    const most = norms.reduce((largest, each) => Math.max(largest, value(each) ?? 0), 0);
    return heatTable({
      caption,
      corner: 'layer',
      names: layers.map(String),
      columns: maps,
      cell: (row, column) => {
        const norm = places.get(`${layers[row]} ${maps[column]}`);
        const size = norm && value(norm);
        return typeof size === 'number' ? { text: say(size), share: most ? size / most : 0 } : undefined;
      },
    });
  };
  return html`<div class="pairwise">
    ${heat(
      '‖ΔW‖, Frobenius',
      ({ norm }) => norm,
      (norm) => numberText(norm),
    )}
    ${
      norms.some(({ relative }) => typeof relative === 'number') &&
      heat(
        '‖ΔW‖ ÷ ‖W‖',
        ({ relative }) => relative,
        (relative) => percentText(relative),
      )
    }
  </div>`;
}

/** Where the diff is largest, and the share of its squared norm there. */
export function normSentence(norms: readonly Norm[]): string {
  const squares = norms.map(({ norm }) => norm ** 2);
  const total = squares.reduce((sum, square) => sum + square, 0);
  const [largest] = [...norms].sort((a, b) => b.norm - a.norm);
  if (!largest || !total || !Number.isFinite(total)) return 'The diff is zero everywhere.';
  return `It is largest in ${largest.map} of layer ${largest.layer}, which has ${percentText(largest.norm ** 2 / total)} of its squared norm.`;
}
