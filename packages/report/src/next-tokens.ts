// The likeliest next tokens, untouched on the left and steered on the right, with an arrow from where each stood to where it stands.
import { drawn } from './drawn.js';
import type { Drawn } from './drawn.js';
import { numberText, tenth } from './number-text.js';
import { bare, clip } from './token-words.js';

interface Likely {
  readonly token: string;
  readonly p: number;
}

const [width, top, pitch] = [388, 34, 20];
/** Where names end on the left and start on the right; arrows run between. Bars leave room for the numbers at the sides. */
const [near, far] = [146, 242];
const longest = 98;

/** `correct` and `wrong` are marked wherever they stand. */
export function nextTokens(
  before: readonly Likely[],
  after: readonly Likely[],
  answers: { readonly correct: string; readonly wrong: string },
): Drawn {
  const rows = Math.max(before.length, after.length);
  const height = top + rows * pitch + 18;
  const most = Math.max(1e-9, ...before.map(({ p }) => p), ...after.map(({ p }) => p));
  const y = (row: number): number => top + row * pitch + pitch / 2;
  const kindOf = (token: string): string =>
    token === answers.correct ? 'correct' : token === answers.wrong ? 'wrong' : 'other';
  const mark = (token: string): string => ({ correct: '● ', wrong: '■ ', other: '' })[kindOf(token)] ?? '';
  const bottom = top + rows * pitch + 8;
  const side = (list: readonly Likely[], isLeft: boolean): Drawn[] =>
    list.map(({ token, p }, row) => {
      const long = tenth((p / most) * longest);
      const [x, end] = isLeft ? [near, near - long] : [far, far + long];
      const shown = clip(bare(token), 13);
      return drawn(
        'g',
        { class: kindOf(token) },
        drawn('path', { class: 'bar', d: `M${x} ${y(row) - 8.5}H${tenth(end)}V${y(row) + 8.5}H${x}Z` }),
        drawn(
          'text',
          { x: isLeft ? near - 5 : far + 5, y: y(row) + 4.5, class: isLeft ? 'end' : '' },
          isLeft ? `${shown}${mark(token) && ` ${mark(token).trim()}`}` : `${mark(token)}${shown}`,
        ),
        drawn('text', { x: isLeft ? 2 : width - 2, y: y(row) + 4, class: isLeft ? 'soft' : 'soft end' }, share(p)),
        drawn('title', {}, `${bare(token)}: ${numberText(p)}`),
      );
    });
  const places = new Map(after.map(({ token }, row) => [token, row]));
  const known = new Set(before.map(({ token }) => token));
  const ways = [
    ...before.map(({ token }, row) => {
      const to = places.get(token);
      return way(kindOf(token), [near + 4, y(row)], to === undefined ? [near + 30, bottom] : [far - 4, y(to)]);
    }),
    ...after.flatMap(({ token }, row) =>
      known.has(token) ? [] : [way(kindOf(token), [far - 30, bottom], [far - 4, y(row)])],
    ),
  ];
  const says = (list: readonly Likely[]): string =>
    list
      .slice(0, 3)
      .map(({ token, p }) => `${bare(token)} ${numberText(p, 2)}`)
      .join(', ');
  return drawn(
    'svg',
    {
      class: 'plot next',
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: 'img',
      'aria-label': `Likeliest next tokens. Untouched: ${says(before)}. Steered: ${says(after)}.`,
    },
    drawn('text', { x: near - 5, y: 20, class: 'soft end' }, 'untouched'),
    drawn('text', { x: far + 5, y: 20, class: 'soft' }, 'steered'),
    ...ways,
    ...side(before, true),
    ...side(after, false),
  );
}

function way(kind: string, [x1, y1]: readonly [number, number], [x2, y2]: readonly [number, number]): Drawn {
  const middle = (x1 + x2) / 2;
  const curve = `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`;
  const head = x2 > far - 10 ? `M${x2 - 6} ${y2 - 4}L${x2} ${y2}L${x2 - 6} ${y2 + 4}` : '';
  return drawn('path', { class: `way-to ${kind}`, d: curve + head });
}

const share = (p: number): string => (p < 0.0005 ? '<.001' : p.toFixed(3).replace(/^0/, ''));
