// A run of the benches as one SVG document: how much of the adapter's ceiling every job reaches, and how many times longer others take. Runs in Node and in browsers.
import { scaleLinear, scaleLog } from 'd3-scale';
import { adapterTitle, type BenchRecord, type JobRecord } from './record.mjs';
import { percent, times } from './text.mjs';

const WIDTH = 1100;
const NAMES = 470;
const ROW = 22;
/** Room for what stands behind a bar, and behind a dot. */
const RIGHT = { bars: 130, dots: 190 };

const STYLE = `svg{--paper:#fffdf9;--ink:#221d16;--soft:#6b6252;--rule:#ddd3c0;--bar:#1f4c9a;--peer:#95691a;font:13px ui-sans-serif,system-ui,'Segoe UI','Liberation Sans',sans-serif}
@media(prefers-color-scheme:dark){svg{--paper:#1d1f26;--ink:#ece6d9;--soft:#a9a08f;--rule:#383a44;--bar:#8db2ff;--peer:#d8b15c}}
.paper{fill:var(--paper)}text{fill:var(--ink)}.soft{fill:var(--soft)}.title{font-size:15px;font-weight:600}.end{text-anchor:end}.mid{text-anchor:middle}
.rule{stroke:var(--rule)}.one{stroke:var(--soft)}.bar{fill:var(--bar)}.peer{fill:var(--peer)}.spread{stroke:var(--peer);stroke-width:2}`;

const escaped = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
const at = (value: number): number => Math.round(value * 10) / 10;

/** The document. */
export function drawing(record: BenchRecord): string {
  const shares = record.jobs.filter(({ ceiling }) => ceiling);
  const peers = record.jobs.filter(({ beside }) => beside.some(({ kind }) => kind === 'peer'));
  const first = panel(70, shares.length, 'Share of the measured ceiling', (top) => bars(shares, top));
  const rows = peers.flatMap((job) =>
    job.beside.filter(({ kind }) => kind === 'peer').map((other) => ({ job, other })),
  );
  const second =
    rows.length > 0
      ? panel(first.end + 50, rows.length, 'How many times longer others take', (top) => dots(rows, top))
      : undefined;
  const height = (second ?? first).end + 16;
  const { rounds, date, environment } = record;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img"><title>Benches on ${escaped(adapterTitle(record.adapter))}</title><style>${STYLE}</style><rect class="paper" width="100%" height="100%"/>
<text class="title" x="16" y="24">${escaped(adapterTitle(record.adapter))}</text><text class="soft" x="16" y="42">${escaped(`${environment.runtime}, ${date.slice(0, 10)}; medians of ${rounds} rounds`)}</text>
${first.drawn}
${second?.drawn ?? ''}
</svg>
`;
}

/** A heading and `rows` lines below it, from `top` on. */
function panel(
  top: number,
  rows: number,
  heading: string,
  draw: (top: number) => string,
): { drawn: string; end: number } {
  return {
    drawn: `<text x="16" y="${top}" font-weight="600">${heading}</text>${draw(top + 30)}`,
    end: top + 30 + rows * ROW,
  };
}

const axis = (
  ticks: readonly number[],
  x: (value: number) => number,
  top: number,
  rows: number,
  label: (value: number) => string,
): string =>
  ticks
    .map(
      (tick) =>
        `<path class="${tick === 1 ? 'one' : 'rule'}" d="M${at(x(tick))} ${top - 8}V${top + rows * ROW - 6}"/><text class="soft mid" x="${at(x(tick))}" y="${top - 12}">${label(tick)}</text>`,
    )
    .join('');

function bars(jobs: readonly JobRecord[], top: number): string {
  const most = Math.max(1, ...jobs.map(({ ceiling }) => ceiling!.share));
  const x = scaleLinear([0, most], [NAMES, WIDTH - RIGHT.bars]);
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  return (
    axis(ticks, x, top, jobs.length, percent) +
    jobs
      .map(({ name, ceiling }, i) => {
        const y = top + i * ROW;
        const { id, share } = ceiling!;
        return `<text class="end" x="${NAMES - 10}" y="${y + 10}">${escaped(short(name))}</text><rect class="bar" x="${NAMES}" y="${y}" width="${at(x(share) - NAMES)}" height="12" rx="2"/><text class="soft" x="${at(x(share) + 6)}" y="${y + 10}">${percent(share)} ${id}</text>`;
      })
      .join('')
  );
}

interface Row {
  readonly job: JobRecord;
  readonly other: JobRecord['beside'][number];
}

function dots(rows: readonly Row[], top: number): string {
  const all = rows.flatMap(({ other }) => [other.ratio.low, other.ratio.high]);
  const x = scaleLog([Math.min(0.5, ...all), Math.max(10, ...all)], [NAMES, WIDTH - RIGHT.dots]);
  const [least, most] = x.domain() as [number, number];
  const ticks = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100].filter((tick) => tick >= least && tick <= most);
  let last = '';
  return (
    axis(ticks, x, top, rows.length, times) +
    rows
      .map(({ job, other }, i) => {
        const y = top + i * ROW;
        const { median, low, high } = other.ratio;
        const heading = job.name === last ? '' : short(job.name);
        last = job.name;
        return `<text class="end" x="${NAMES - 10}" y="${y + 10}">${escaped(heading)}</text><path class="spread" d="M${at(x(low))} ${y + 6}H${at(x(high))}"/><circle class="peer" cx="${at(x(median))}" cy="${y + 6}" r="4"/><text class="soft" x="${at(Math.max(x(high), x(median) + 4) + 6)}" y="${y + 10}">${times(median)} ${escaped(other.name)}</text>`;
      })
      .join('')
  );
}

/** As much of a name as fits beside the bars. */
const short = (name: string): string => (name.length > 72 ? `${name.slice(0, 71)}…` : name);
