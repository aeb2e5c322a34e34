// steeringPage: one steering as one HTML file: its cells on the tokens of a prompt, a slider for the strength, and what follows from both.
import { cellMap, cellTable, smallCellMap, strongestCell, mostOf } from './cell-map.js';
import { deltaHistograms } from './delta-histograms.js';
import { drawnMarkup } from './drawn.js';
import { liveSteering, meaningOf } from './live-steering.js';
import type { LiveSteering } from './live-steering.js';
import { Markup, html, scriptJson } from './markup.js';
import { methodTable } from './method-table.js';
import { numberText } from './number-text.js';
import { pageShell } from './page-shell.js';
import { tokenText } from './prompts.js';
import { provenanceFacts, valueList } from './provenance.js';
import { maskSecrets } from './secrets.js';
import { siteName } from './steering-cell.js';
import { penaltySays, promptDrawings, strengthFigures, strengthSays } from './steering-figures.js';
import { historyPlots, pathPlots, sweepPlots } from './steering-plots.js';
import { checkSteering } from './steering-record.js';
import type { SteeredPromptRecord, SteeringGridRecord, SteeringRecord } from './steering-record.js';
import { methodName, summariseSteering } from './steering-summary.js';
import { bare, clip, measureName } from './token-words.js';
import { verdictBox } from './verdict-box.js';

/** Positions from which on the maps of the sites stand below one another. */
const LONG = 24;
/** The strength that a page begins with. */
const START = 1;

/**
 * One self-contained HTML page about a steering. Deterministic: the same record gives the same bytes.
 * @throws ReportError as `checkSteering`
 */
export function steeringPage(given: SteeringRecord): string {
  const record = maskSecrets(checkSteering(given));
  const { headline, sentences } = summariseSteering(record);
  const live = liveSteering(record);
  const { methods = [], verdict, provenance, method, objective, task, grid } = record;
  const part = (title: string, content: Markup | false): Markup | false =>
    content !== false &&
    html`<figure>
      <h3>${title}</h3>
      ${content}
    </figure>`;
  return pageShell({
    title: record.title,
    skip: ['cells', 'Skip to the cells'],
    head: html`<div class="record-head">
      <p class="lede">${headline}</p>
      ${sentences.map((sentence) => html`<p>${sentence}</p>`)}
    </div>`,
    main: html`<section class="record steering" id="cells" aria-labelledby="cells-title" data-steering>
      <h2 id="cells-title" class="spoken">What is scaled, and what follows</h2>
      ${promptLine(record.prompts)} ${moves(record) && controls(record, live)} ${grid && maps(record, grid)}
      <dl class="figures wide" data-strength-figures>${definitionsOf(strengthFigures(live, START, undefined))}</dl>
      ${outcome(live)} ${part('At every strength', sweepPlots(record, START))}
      ${part('Every prompt', deltaHistograms(record))} ${part('How few cells are enough', pathPlots(record))}
      ${grid && part('The same cells, measured otherwise', compared(record, grid))}
      ${grid && part('What becomes of the activations', edited(record, grid))}
      ${part('Beside other methods', methods.length > 0 && methodTable(methods, record.rule?.drift))}
      ${part('Are they the cause?', verdict !== undefined && verdictBox(verdict))}
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
    footer: html`h̃ = γ(βα) h replaces the activation h of a cell, with γ(t) = 1 + t unless another form is named;
    vectors are added, h̃ = h + βv. Δ = z(●) − z(■) in logits, ● being the answer that β &gt; 0 favours. KL is that of
    the next-token distribution from the untouched one, with ● and ■ as one outcome. A cell marked × cannot reach the
    logits that are read.`,
  });
}

function taskText({ name, description, train, validation, test }: NonNullable<SteeringRecord['task']>): Markup {
  const sizes = Object.entries({ train, validation, test }).flatMap(([what, count]) =>
    count === undefined ? [] : [`${numberText(count, 9)} to ${what}`],
  );
  return html`${name}${description && html`: ${description}`}${sizes.length > 0 && `; ${sizes.join(', ')}`}`;
}

const definitionsOf = (figures: readonly (readonly [name: string, value: string])[]): Markup[] =>
  figures.map(
    ([name, value]) =>
      html`<div>
        <dt>${name}</dt>
        <dd>${value}</dd>
      </div>`,
  );

/** The prompt as its tokens, and the two answers. */
function promptLine(prompts: readonly SteeredPromptRecord[]): Markup {
  const [first] = prompts;
  const start = (prompt: SteeredPromptRecord): string => clip(prompt.tokens.map(({ text }) => text).join(''), 90);
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
      <span data-words>${(first?.tokens ?? []).map(({ text }) => tokenText(text))}</span>
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
          aria-valuetext="${strengthSays(START, answers)}"
      /></label>
      <span class="rests">${rest(-1, '■')}${rest(0, '○')}${rest(1, '●')}</span>
      <output data-strength-says>${strengthSays(START, answers)}</output>
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

function maps(record: SteeringRecord, grid: SteeringGridRecord): Markup {
  const stop = strongestCell(grid);
  const { scalar, most, form } = meaningOf(record, grid.sites[0] ?? '');
  // An exponential is never 0 or less.
  const signs = scalar && form !== 'exponential';
  const sample = (kind: string, says: string): Markup => html`<li><span class="cell ${kind}"></span> ${says}</li>`;
  const ramp = [9, 6, 3].map((shade) => html`<span class="cell down s${shade}"></span>`);
  const rise = [3, 6, 9].map((shade) => html`<span class="cell up s${shade}"></span>`);
  return html`<div class="maps ${grid.positions.length > LONG && 'long'}">
      ${grid.sites.map((site, i) =>
        cellMap(
          { grid, site: i, values: grid.values, strength: START, meaning: meaningOf(record, site) },
          record.prompts[0],
          stop,
        ),
      )}
    </div>
    <ul class="legend">
      <li class="ramp">
        ${scalar ? `× ${numberText(1 - most)}` : `−${numberText(most)}`} ${ramp}<span class="cell zero"></span>${rise}
        ${scalar ? `× ${numberText(1 + most)}` : numberText(most)}
      </li>
      ${signs && sample('down s6 ablated', '× 0: ablated')}${signs && sample('down s6 reversed', 'below × 0: reversed')}
      ${sample('zero', 'untouched')}${sample('dead', 'cannot reach the answer')}
    </ul>
    <div class="cell-reading only-live">
      <p data-cell-name></p>
      <dl class="figures" data-cell-figures></dl>
    </div>
    <details>
      <summary>Every cell as a table</summary>
      <div class="scroll tall" tabindex="0" role="region" aria-label="Every cell">
        ${cellTable(grid, record.prompts[0], [
          ...(record.comparisons ?? []),
          ...(record.edits
            ? [
                { measure: 'Δnorm', values: record.edits.norm },
                { measure: 'Δdir', values: record.edits.direction },
              ]
            : []),
        ])}
      </div>
    </details>`;
}

/** The first prompt at the strength that the page begins with. */
function outcome(live: LiveSteering): Markup | false {
  const [prompt] = live.prompts;
  if (!prompt?.untouched) return false;
  return html`<div class="pairwise outcome" data-outcome>${promptDrawings(live, prompt, START).map(drawnMarkup)}</div>`;
}

/** A measure of the cells in small, every site, with what it agrees with. */
function measure(
  grid: SteeringGridRecord,
  name: string,
  values: readonly (number | null)[],
  figures: readonly (readonly [string, string])[],
): Markup {
  const meaning = { scalar: false, form: 'linear', bound: 3, most: mostOf(values, grid.live) } as const;
  return html`<div class="measure">
    <h4>${name}</h4>
    <div class="small-maps" role="img" aria-label="${name} of every cell; the numbers are in the table of cells">
      ${grid.sites.map(
        (site, i) =>
          html`<div>
            <p>${siteName(site)}</p>
            ${smallCellMap({ grid, site: i, values, strength: 1, meaning })}
          </div>`,
      )}
    </div>
    <dl class="figures">${definitionsOf(figures)}</dl>
  </div>`;
}

function compared({ comparisons = [] }: SteeringRecord, grid: SteeringGridRecord): Markup | false {
  if (!comparisons.length) return false;
  const own = measureName(grid.measure);
  return html`<div class="measures">
    ${measure(grid, `${own}, as learnt`, grid.values, [])}
    ${comparisons.map(({ measure: name, values, agreement }) =>
      measure(
        grid,
        name,
        values,
        agreement
          ? [
              [`Spearman with ${own}`, numberText(agreement.spearman, 2)],
              [`Jaccard of the top ${agreement.topJaccard.k}`, numberText(agreement.topJaccard.value, 2)],
            ]
          : [],
      ),
    )}
  </div>`;
}

function edited({ edits }: SteeringRecord, grid: SteeringGridRecord): Markup | false {
  if (!edits) return false;
  const at = `at β = ${numberText(edits.strength)}`;
  return html`<div class="measures">
    ${measure(grid, `Δnorm: longer or shorter, ${at}`, edits.norm, [['largest', numberText(mostOf(edits.norm, grid.live))]])}
    ${measure(grid, `Δdir: how far it turns, ${at}`, edits.direction, [['largest, 2 is reversed', numberText(mostOf(edits.direction, grid.live))]])}
  </div>`;
}
