// Countries and capitals in English: ' Kabul, the capital of' → Afghanistan, corrupted by another capital, for any tokenizer.
import { isEntityHeldOut, type MakeSource } from './source.js';
import { Swaps } from './swaps.js';

/** 'capital|country'; a country with `the ` in front takes the article into the prompt. */
const CAPITALS = `
  Kabul|Afghanistan;Tirana|Albania;Algiers|Algeria;Andorra la Vella|Andorra;Luanda|Angola;Saint John's|Antigua and Barbuda;
  Buenos Aires|Argentina;Yerevan|Armenia;Canberra|Australia;Vienna|Austria;Baku|Azerbaijan;Nassau|the Bahamas;Manama|Bahrain;
  Dhaka|Bangladesh;Bridgetown|Barbados;Minsk|Belarus;Brussels|Belgium;Belmopan|Belize;Porto-Novo|Benin;Thimphu|Bhutan;Sucre|Bolivia;
  Sarajevo|Bosnia and Herzegovina;Gaborone|Botswana;Brasília|Brazil;Bandar Seri Begawan|Brunei;Sofia|Bulgaria;
  Ouagadougou|Burkina Faso;Gitega|Burundi;Phnom Penh|Cambodia;Yaoundé|Cameroon;Ottawa|Canada;Praia|Cape Verde;
  Bangui|the Central African Republic;N'Djamena|Chad;Santiago|Chile;Beijing|China;Bogotá|Colombia;Moroni|the Comoros;
  Brazzaville|the Republic of the Congo;Kinshasa|the Democratic Republic of the Congo;San José|Costa Rica;Zagreb|Croatia;Havana|Cuba;
  Nicosia|Cyprus;Prague|the Czech Republic;Copenhagen|Denmark;Roseau|Dominica;Santo Domingo|the Dominican Republic;Dili|East Timor;
  Quito|Ecuador;Cairo|Egypt;San Salvador|El Salvador;Malabo|Equatorial Guinea;Asmara|Eritrea;Tallinn|Estonia;Mbabane|Eswatini;
  Addis Ababa|Ethiopia;Suva|Fiji;Helsinki|Finland;Paris|France;Libreville|Gabon;Banjul|the Gambia;Tbilisi|Georgia;Berlin|Germany;
  Accra|Ghana;Athens|Greece;Nuuk|Greenland;Conakry|Guinea;Bissau|Guinea-Bissau;Georgetown|Guyana;Port-au-Prince|Haiti;
  Tegucigalpa|Honduras;Budapest|Hungary;Reykjavik|Iceland;New Delhi|India;Jakarta|Indonesia;Tehran|Iran;Baghdad|Iraq;Dublin|Ireland;
  Jerusalem|Israel;Rome|Italy;Yamoussoukro|Ivory Coast;Kingston|Jamaica;Tokyo|Japan;Amman|Jordan;Astana|Kazakhstan;Nairobi|Kenya;
  Tarawa|Kiribati;Pristina|Kosovo;Bishkek|Kyrgyzstan;Vientiane|Laos;Riga|Latvia;Beirut|Lebanon;Maseru|Lesotho;Monrovia|Liberia;
  Tripoli|Libya;Vaduz|Liechtenstein;Vilnius|Lithuania;Antananarivo|Madagascar;Lilongwe|Malawi;Kuala Lumpur|Malaysia;
  Malé|the Maldives;Bamako|Mali;Valletta|Malta;Majuro|the Marshall Islands;Nouakchott|Mauritania;Port Louis|Mauritius;
  Palikir|Micronesia;Chisinau|Moldova;Ulaanbaatar|Mongolia;Podgorica|Montenegro;Rabat|Morocco;Maputo|Mozambique;Naypyidaw|Myanmar;
  Windhoek|Namibia;Yaren|Nauru;Kathmandu|Nepal;Amsterdam|the Netherlands;Wellington|New Zealand;Managua|Nicaragua;Niamey|Niger;
  Abuja|Nigeria;Pyongyang|North Korea;Skopje|North Macedonia;Oslo|Norway;Muscat|Oman;Islamabad|Pakistan;Ngerulmud|Palau;
  Ramallah|Palestine;Port Moresby|Papua New Guinea;Asunción|Paraguay;Lima|Peru;Manila|the Philippines;Warsaw|Poland;Lisbon|Portugal;
  San Juan|Puerto Rico;Doha|Qatar;Bucharest|Romania;Moscow|Russia;Kigali|Rwanda;Basseterre|Saint Kitts and Nevis;
  Castries|Saint Lucia;Kingstown|Saint Vincent;Apia|Samoa;Riyadh|Saudi Arabia;Edinburgh|Scotland;Dakar|Senegal;Belgrade|Serbia;
  Victoria|the Seychelles;Freetown|Sierra Leone;Bratislava|Slovakia;Ljubljana|Slovenia;Honiara|the Solomon Islands;
  Mogadishu|Somalia;Pretoria|South Africa;Seoul|South Korea;Juba|South Sudan;Madrid|Spain;Colombo|Sri Lanka;Khartoum|Sudan;
  Paramaribo|Suriname;Stockholm|Sweden;Bern|Switzerland;Damascus|Syria;Taipei|Taiwan;Dushanbe|Tajikistan;Dodoma|Tanzania;
  Bangkok|Thailand;Lomé|Togo;Port of Spain|Trinidad and Tobago;Tunis|Tunisia;Ankara|Turkey;Ashgabat|Turkmenistan;Funafuti|Tuvalu;
  Kampala|Uganda;Kyiv|Ukraine;Abu Dhabi|the United Arab Emirates;London|the United Kingdom;Washington|the United States;
  Montevideo|Uruguay;Tashkent|Uzbekistan;Port Vila|Vanuatu;Caracas|Venezuela;Hanoi|Vietnam;Cardiff|Wales;Sanaa|Yemen;Lusaka|Zambia;
  Harare|Zimbabwe;Kuwait City|Kuwait;Mexico City|Mexico;Panama City|Panama;Guatemala City|Guatemala;Luxembourg City|Luxembourg;
  Djibouti City|Djibouti;São Tomé|São Tomé and Príncipe;City of San Marino|San Marino`;

interface Capital {
  readonly name: string;
  readonly country: string;
  readonly article: boolean;
}

const ALL: readonly Capital[] = CAPITALS.split(';').map((entry) => {
  const [name = '', country = ''] = entry.trim().split('|');
  const article = country.startsWith('the ');
  return { name, country: article ? country.slice('the '.length) : country, article };
});

const promptOf = ({ name, article }: Capital): string => ` ${name}, the capital of${article ? ' the' : ''}`;

/**
 * Corrupted: a capital of the same split and of equally many tokens, of a country whose first token differs; countries with an article go with
 * countries with an article. Answers are the first tokens of the two countries. Held out: a quarter of the countries.
 */
export const capitalSource: MakeSource = (tokens) => {
  const entities = ALL.flatMap((item) => {
    const [prompt, country] = [promptOf(item), ` ${item.country}`];
    const length = tokens.of(prompt).length;
    const [answer] = tokens.of(country);
    if (length === 0 || answer === undefined) return [];
    const heldOut = isEntityHeldOut('country-capital', item.country);
    return [{ item, prompt, country, answer, heldOut, likeness: `${length} ${item.article}` }];
  });
  const what = 'capitals that share their number of tokens with another';
  const swaps = new Swaps('country-capital', entities, what, ALL.length);
  return {
    size: (split) => swaps.size(split),
    draw: (random, split) => {
      const [clean, corrupted] = swaps.pick(random, split);
      return {
        clean: clean.prompt,
        corrupted: corrupted.prompt,
        correct: [clean.country],
        incorrect: [corrupted.country],
        entities: [clean.item.country],
        roles: Object.fromEntries(clean.item.name.split(' ').map((word) => [word, 'capital'])),
        labels: {
          country: clean.item.country,
          capital: clean.item.name,
          corruptedCapital: corrupted.item.name,
        },
      };
    },
  };
};
