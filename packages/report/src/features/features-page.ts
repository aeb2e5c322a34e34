// featuresPage: dashboards of features as one HTML file: a table of all, and a card of each with where it fires and what it writes.
import { drawnMarkup } from '../drawn.js';
import { Markup, html, scriptJson } from '../markup.js';
import { numberText, percentText } from '../number-text.js';
import { pageShell } from '../page-shell.js';
import { tokenText } from '../prompts.js';
import { provenanceFacts } from '../provenance.js';
import { maskSecrets } from '../secrets.js';
import { featureCard, scoreText } from './feature-card.js';
import type { FeatureRecord } from './feature-record.js';
import type { FeatureOrder } from './feature-search.js';
import { checkFeatures, type FeaturesRecord } from './features-record.js';
import { summariseFeatures } from './features-summary.js';
import { liveFeature } from './live-feature.js';

/** Cards in the page as it is written, and cards that the script adds at a time. */
export const firstCards = 12;
/** Rows of the table in the page. */
const firstRows = 200;

/** What the script of the page is given. */
export interface LiveFeatures {
  readonly features: FeaturesRecord['features'];
  readonly cards: number;
}

/**
 * One self-contained HTML page of dashboards. Deterministic: the same record gives the same bytes.
 * @throws ReportError as `checkFeatures`
 */
export function featuresPage(given: FeaturesRecord): string {
  const record = maskSecrets(checkFeatures(given));
  const { headline, sentences } = summariseFeatures(record);
  const { features, provenance } = record;
  const live: LiveFeatures = { features: features.map(liveFeature), cards: firstCards };
  const shown = features.slice(0, firstCards);
  return pageShell({
    title: record.title,
    skip: ['features', 'Skip to the features'],
    head: html`<div class="record-head">
      <p class="lede">${headline}</p>
      ${sentences.map((sentence) => html`<p>${sentence}</p>`)}
    </div>`,
    main: html`<section class="record features" id="features" aria-labelledby="features-title" data-features>
      <h2 id="features-title">Features</h2>
      ${controls(features)}
      <p class="note">
        <span data-count aria-live="polite"
          >${numberText(shown.length, 9)} of ${numberText(features.length, 9)} features have their card here; the table
          below has ${features.length > firstRows ? `the first ${firstRows}` : 'all'}.</span
        >
      </p>
      ${fireLegend()}
      <div class="feature-cards" data-cards>${shown.map((feature) => drawnMarkup(featureCard(feature)))}</div>
      <p class="only-live"><button type="button" data-more-cards>Show more</button></p>
      <details class="part">
        <summary>Features as a table</summary>
        <div class="scroll tall" tabindex="0" role="region" aria-label="Features">${featureTable(features)}</div>
        ${
          features.length > firstRows &&
          html`<p class="note">
            ${firstRows} of ${numberText(features.length, 9)} features; the record and the list above have all.
          </p>`
        }
      </details>
      <div class="part">
        <h3>How to get this again</h3>
        ${provenanceFacts(provenance, [
          [
            'Read',
            html`${numberText(record.corpus.tokens, 9)}
            tokens${record.corpus.name !== undefined && html` of <bdi>${record.corpus.name}</bdi>`}`,
          ],
        ])}
      </div>
      ${new Markup(`<script type="application/json">${scriptJson(live)}</script>`)}
    </section>`,
    version: provenance.versions['limn'],
    footer: html`A token’s colour is (a − min) ÷ (max − min) of its feature; the token in bold is the one that the line
    is of, its activation in front. A dot stands for a leading space. Logits are the decoder row times the unembedding.`,
  });
}

const orderNames: Readonly<Record<FeatureOrder, string>> = {
  given: 'as given',
  most: 'strongest activation',
  frequent: 'fires most often',
  rare: 'fires least often',
  layer: 'layer and number',
  norm: 'decoder norm',
  labelled: 'labelled first',
};

function controls(features: readonly FeatureRecord[]): Markup {
  const layers = [...new Set(features.map(({ origin }) => origin.layer))].sort((a, b) => a - b);
  return html`<div class="controls knobs only-live" role="search" aria-label="Features shown">
    <label
      >Fires on <input type="search" data-find="fires" placeholder="a token" autocomplete="off" spellcheck="false"
    /></label>
    <label
      >Moves the logit
      <input type="search" data-find="logit" placeholder="a token" autocomplete="off" spellcheck="false"
    /></label>
    <label
      >Label <input type="search" data-find="label" placeholder="words" autocomplete="off" spellcheck="false"
    /></label>
    <label
      >Layer
      <select data-find="layer">
        <option value="">all</option>
        ${layers.map((layer) => html`<option value="${layer}">${layer}</option>`)}
      </select></label
    >
    <label
      >Order
      <select data-order>
        ${Object.entries(orderNames).map(([order, name]) => html`<option value="${order}">${name}</option>`)}
      </select></label
    >
    <label
      >Labels by <input type="search" data-author placeholder="your name" autocomplete="off" spellcheck="false"
    /></label>
    <button type="button" data-save>Save labels</button>
  </div>`;
}

function fireLegend(): Markup {
  return html`<ul class="legend">
    <li>
      <span class="fire-ramp" aria-hidden="true"
        >${Array.from({ length: 9 }, (_, i) => html`<bdi class="token fire${i + 1}"> </bdi>`)}</span
      >
      fires: hardly, up to its most
    </li>
    <li><bdi class="token peak">bold</bdi> the token of the line</li>
  </ul>`;
}

function featureTable(features: readonly FeatureRecord[]): Markup {
  const words = (tokens: NonNullable<FeatureRecord['logits']>['most'] = []): Markup[] =>
    tokens.slice(0, 4).map((each) => html`${tokenText(scoreText(each))} `);
  return html`<table class="numbers">
    <thead>
      <tr>
        <th scope="col" class="number">Layer</th>
        <th scope="col" class="number">Feature</th>
        <th scope="col">Label</th>
        <th scope="col" class="number">Of tokens</th>
        <th scope="col" class="number">Most</th>
        <th scope="col">Raises</th>
        <th scope="col">Lowers</th>
      </tr>
    </thead>
    <tbody>
      ${features.slice(0, firstRows).map(
        ({ origin, feature, label, frequency, max, logits }) =>
          html`<tr>
            <td class="number">${origin.layer}</td>
            <td class="number">${numberText(feature, 9)}</td>
            <td><bdi>${label?.text ?? ''}</bdi></td>
            <td class="number">${percentText(frequency)}</td>
            <td class="number">${numberText(max)}</td>
            <td>${words(logits?.most)}</td>
            <td>${words(logits?.least)}</td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}
