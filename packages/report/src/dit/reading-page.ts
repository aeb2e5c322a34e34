// ditReadingPage: what one weight diff says of itself, as one HTML file: four answers side by side, and where in the diff the answer comes from.
import { html } from '../markup.js';
import type { Markup } from '../markup.js';
import { pageShell } from '../page-shell.js';
import { factList, provenanceFacts } from '../provenance.js';
import { maskSecrets } from '../secrets.js';
import { answerGrid, answerTable } from './answer-grid.js';
import { adapterFact, baseFact, calibrationFact, reachPart } from './asked-facts.js';
import { quoted } from './decision-words.js';
import { directionLists } from './direction-lists.js';
import { layerBars, layerSentence } from './layer-bars.js';
import { normMaps, normSentence } from './norm-maps.js';
import { plainTables } from './plain-tables.js';
import { checkDitReading, type DitReadingRecord } from './reading-record.js';
import { summariseDitReading } from './reading-summary.js';
import { strengthPlot } from './strength-plot.js';

/**
 * One self-contained HTML page about one weight diff that was asked what it changed. Deterministic: the same record gives the same bytes.
 * @throws ReportError as `checkDitReading`
 */
export function ditReadingPage(given: DitReadingRecord): string {
  const record = maskSecrets(checkDitReading(given));
  const { headline, sentences } = summariseDitReading(record);
  const { answers, adapter, diff, layers, strengths, norms, directions, tables, more = [], provenance } = record;
  return pageShell({
    title: `What ${diff.name} changed`,
    skip: ['answers', 'Skip to the answers'],
    head: html`<div class="record-head">
        <p class="lede">${headline}</p>
        ${sentences.map((sentence) => html`<p>${sentence}</p>`)}
      </div>
      <ul class="flags">
        <li>${record.note}</li>
      </ul>`,
    main: html`<section class="record dit" id="answers" aria-labelledby="answers-title">
      <h2 id="answers-title">${quoted(record.question)}</h2>
      ${answerGrid(answers)} ${moreQuestions(more)}
      <div class="part">
        <h3>Who was asked</h3>
        ${factList([
          baseFact(record.base),
          [
            'Diff',
            html`<bdi>${diff.name}</bdi>, rank
              ${diff.rank}${diff.about !== undefined && html`; <bdi>${diff.about}</bdi>`}`,
          ],
          ['Linears', diff.modules.length > 0 && diff.modules.join(', ')],
          adapterFact(adapter),
          calibrationFact(record.calibration),
        ])}
        ${adapter !== null && reachPart(adapter)}
      </div>
      ${
        layers !== undefined &&
        layers.rows.length > 0 &&
        part(
          'Which layers the answer needs',
          html`Change of the log-probability of ${quoted(layers.answer)}, in nats, when one layer of the diff is zeroed,
          and when only it is kept. ${layerSentence(layers)}`,
          layerBars(layers),
        )
      }
      ${
        strengths !== undefined &&
        strengths.points.length > 0 &&
        part(
          'The diff weaker and stronger',
          html`The diff times every strength, the adapter as it is; the answer is ${quoted(strengths.answer)}.`,
          strengthPlot(strengths),
        )
      }
      ${
        norms.length > 0 &&
        part(
          'Where the diff is large',
          html`Size of every linear’s diff; the largest alone says nothing of what it does. ${normSentence(norms)}`,
          normMaps(norms),
        )
      }
      ${
        directions.length > 0 &&
        part(
          'What its directions say',
          html`Singular directions of every linear’s diff as tokens, the strongest first, σ its singular value. Blue is
          along the direction, red against it; writing and reading of one direction have their signs together.`,
          directionLists(directions),
        )
      }
      ${plainTables(tables)}
      <div class="part">
        <h3>How to get this again</h3>
        ${provenanceFacts(provenance, [])}
      </div>
    </section>`,
    version: provenance.versions['limn'],
    footer: html`base is the untouched model, diff the weight change that is asked about, adapter the one that was
    trained to say what a diff changed. A probability is of the whole answer with its end, a bar of its first token over
    the full vocabulary.`,
  });
}

const part = (title: string, note: Markup, content: Markup): Markup =>
  html`<div class="part">
    <h3>${title}</h3>
    <p class="note">${note}</p>
    ${content}
  </div>`;

const moreQuestions = (more: NonNullable<DitReadingRecord['more']>): Markup[] =>
  more.map(
    ({ question, answers }) =>
      html`<details>
        <summary>${quoted(question)}</summary>
        <div class="scroll" tabindex="0" role="region" aria-label="${question}">${answerTable(answers)}</div>
      </details>`,
  );
