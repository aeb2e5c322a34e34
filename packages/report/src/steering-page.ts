// steeringPage: one steering as one HTML file: its cells on the tokens of a prompt, a slider for the strength, and what follows from both.
import { attentionSplits } from './attention-splits.js';
import { deltaHistograms } from './delta-histograms.js';
import { definitionsOf } from './definitions.js';
import { drawnMarkup } from './drawn.js';
import { headAttention } from './head-attention.js';
import { hierarchyTerms } from './hierarchy-terms.js';
import { interactionMatrix } from './interaction-matrix.js';
import { liveSteering } from './live-steering.js';
import type { LiveSteering } from './live-steering.js';
import { Markup, html, scriptJson } from './markup.js';
import { methodTable } from './method-table.js';
import { numberText } from './number-text.js';
import { pageShell } from './page-shell.js';
import { paritySection } from './parity-section.js';
import { asText, carriesSpaces, tokenText } from './prompts.js';
import { provenanceFacts, valueList } from './provenance.js';
import { maskSecrets } from './secrets.js';
import { cellMaps, comparedCells, editedCells } from './steered-cells.js';
import { penaltySays, promptDrawings, strengthFigures, strengthSays } from './steering-figures.js';
import { historyPlots, pathPlots, sweepPlots } from './steering-plots.js';
import { checkSteering } from './steering-record.js';
import type { SteeredPromptRecord, SteeringRecord } from './steering-record.js';
import { methodName, summariseSteering } from './steering-summary.js';
import { bare, clip } from './token-words.js';
import { trainingInfluence } from './training-influence.js';
import { verdictBox } from './verdict-box.js';

/** Cells that are drawn and stand in a table; the record has all. */
const MOST_DRAWN = 8000;
/** The strength that a page begins with. */
const START = 1;

/**
 * One self-contained HTML page about a steering. Deterministic: the same record gives the same bytes.
 * @throws ReportError as `checkSteering`
 */
export function steeringPage(given: SteeringRecord): string {
  const whole = maskSecrets(checkSteering(given));
  const { headline, sentences } = summariseSteering(whole);
  const record = drawable(whole);
  const live = liveSteering(record);
  const { methods = [], verdict, provenance, method, objective, task, grid, prompts } = record;
  const { hierarchy, interactions, splits = [], attention = [], influence, parity } = record;
  const places = whole.grid && { grid: whole.grid, prompt: prompts[0] };
  const part = (title: string, content: Markup | false): Markup | false =>
    content !== false &&
    html`<figure>
      <h3>${title}</h3>
      ${content}
    </figure>`;
  return pageShell({
    title: record.title,
    skip: ['cells', whole.grid ? 'Skip to the cells' : 'Skip to what was found'],
    head: html`<div class="record-head">
      <p class="lede">${headline}</p>
      ${sentences.map((sentence) => html`<p>${sentence}</p>`)}
    </div>`,
    main: html`<section class="record steering" id="cells" aria-labelledby="cells-title" data-steering>
      <h2 id="cells-title" class="spoken">What is scaled, and what follows</h2>
      ${promptLine(record.prompts)} ${moves(record) && controls(record, live)} ${grid && cellMaps(record, grid, START)}
      ${!grid && whole.grid && tooMany(whole.grid.values.length)}
      <dl class="figures wide" data-strength-figures>${definitionsOf(strengthFigures(live, START, undefined))}</dl>
      ${outcome(live)} ${part('How alike the answers become', parity !== undefined && paritySection(parity))}
      ${part('At every strength', sweepPlots(record, START))} ${part('Every prompt', deltaHistograms(record))}
      ${part('How few cells are enough', pathPlots(record))}
      ${places && hierarchy && part('In few terms', hierarchyTerms(hierarchy, places))}
      ${places && interactions && part('Together, and one by one', interactionMatrix(interactions, places))}
      ${grid && part('The same cells, measured otherwise', comparedCells(record, grid))}
      ${grid && part('What becomes of the activations', editedCells(record, grid))}
      ${whole.grid && part('What attention cells are made of', attentionSplits(splits, prompts, whole.grid))}
      ${part('Where the heads look', headAttention(attention, prompts))}
      ${part('Beside other methods', methods.length > 0 && methodTable(methods, record.rule?.drift))}
      ${part('Are they the cause?', verdict !== undefined && verdictBox(verdict))}
      ${part('Which prompts asked for it', influence !== undefined && trainingInfluence(influence))}
      ${part('While it was learnt', historyPlots(record))}
      <div class="part">
        <h3>How to get this again</h3>
        ${provenanceFacts(provenance, [
          [
            'Method',
            html`${methodName(method.kind)} (${method.kind}), ${numberText(method.parameters, 9)} numbers
            ${method.settings && valueList(method.settings)}`,
          ],
          ['Objective', valueList(objective)],
          ['Task', task !== undefined && taskText(task)],
        ])}
      </div>
      ${new Markup(`<script type="application/json">${scriptJson(live)}</script>`)}
    </section>`,
    version: provenance.versions['limn'],
    footer: html`${whole.grid && cellsMean} Δ = z(●) − z(■) in logits, ● being the answer that β &gt; 0 favours. KL is
    that of the next-token distribution from the untouched one, with ● and ■ as one outcome.`,
  });
}

/** What the cells of a page are. */
const cellsMean = html`h̃ = γ(βα) h replaces the activation h of a cell, with γ(t) = 1 + t unless another form is named;
vectors are added, h̃ = h + βv. A cell marked × cannot reach the logits that are read.`;

/** Without the cells where they are too many for a page. */
function drawable(record: SteeringRecord): SteeringRecord {
  const { grid, comparisons: _comparisons, edits: _edits, path, ...others } = record;
  if (!grid || grid.values.length <= MOST_DRAWN) return record;
  const points = path?.points.map(({ values: _values, ...point }) => point);
  return { ...others, ...(path && points ? { path: { ...path, points } } : {}) };
}

const tooMany = (cells: number): Markup =>
  html`<p class="note">The record has ${numberText(cells, 9)} cells, which are too many to draw.</p>`;

function taskText({ name, description, train, validation, test }: NonNullable<SteeringRecord['task']>): Markup {
  const sizes = Object.entries({ train, validation, test }).flatMap(([what, count]) =>
    count === undefined ? [] : [`${numberText(count, 9)} to ${what}`],
  );
  return html`${name}${description && html`: ${description}`}${sizes.length > 0 && `; ${sizes.join(', ')}`}`;
}

/** The prompt as its tokens, and the two answers. */
function promptLine(prompts: readonly SteeredPromptRecord[]): Markup {
  const [first] = prompts;
  const start = (prompt: SteeredPromptRecord): string => clip(asText(prompt.tokens.map(({ text }) => text)), 90);
  const words = (first?.tokens ?? []).map(({ text }) => text);
  return html`<div class="prompt-line">
    ${
      prompts.length > 1 &&
      html`<label class="only-live"
        >Prompt
        <select data-prompt>
          ${prompts.map((prompt, i) => html`<option value="${i}">${start(prompt)}</option>`)}
        </select></label
      >`
    }
    <p class="aligned">
      <span data-words class="${!carriesSpaces(words) && 'apart'}">${words.map(tokenText)}</span>
      <span class="to" aria-hidden="true">→</span>
      <span class="helps-text">● <bdi data-answer="correct">${bare(first?.correct ?? '')}</bdi></span>
      <span class="hinders-text">■ <bdi data-answer="wrong">${bare(first?.wrong ?? '')}</bdi></span>
    </p>
  </div>`;
}

/** Whether anything on the page follows a strength. */
const moves = ({ grid, sweep = [], prompts }: SteeringRecord): boolean =>
  grid !== undefined || sweep.length > 0 || prompts.some(({ outcomes = [] }) => outcomes.length > 0);

/** Sliders of the strength and, where the record has several, of the penalty. */
function controls({ prompts, path }: SteeringRecord, live: LiveSteering): Markup {
  const { strengths } = live;
  const [first] = prompts;
  const answers = { correct: first?.correct ?? '', wrong: first?.wrong ?? '' };
  const rest = (strength: number, mark: string): Markup | false =>
    strengths.includes(strength) &&
    html`<button type="button" data-rest="${strength}">
      ${mark} ${strength > 0 ? '+1' : strength < 0 ? '−1' : '0'}
    </button>`;
  const many = path !== undefined && path.points.length > 1 && path.points.some(({ values }) => values !== undefined);
  return html`<div class="controls knobs only-live" role="group" aria-label="What is shown">
    <span class="knob">
      <label
        ><b>β</b>
        <input
          type="range"
          data-strength
          min="${strengths[0]}"
          max="${strengths.at(-1)}"
          step="any"
          value="${START}"
          aria-valuetext="${strengthSays(live, START, answers)}"
      /></label>
      <span class="rests">${rest(-1, '■')}${rest(0, '○')}${rest(1, '●')}</span>
      <output data-strength-says>${strengthSays(live, START, answers)}</output>
    </span>
    ${
      many &&
      html`<span class="knob">
        <label
          ><b>λ</b>
          <input
            type="range"
            data-penalty
            min="0"
            max="${path.points.length - 1}"
            step="1"
            value="${path.chosen}"
            aria-valuetext="${penaltySays(live, path.chosen)}"
        /></label>
        <output data-penalty-says>${penaltySays(live, path.chosen)}</output>
      </span>`
    }
  </div>`;
}

/** The first prompt at the strength that the page begins with. */
function outcome(live: LiveSteering): Markup | false {
  const [prompt] = live.prompts;
  if (!prompt?.untouched) return false;
  return html`<div class="pairwise outcome" data-outcome>${promptDrawings(live, prompt, START).map(drawnMarkup)}</div>`;
}
