"""The market's set-based statements, named so that a slow one is found by its name in the server's log."""

LISTING_COLUMNS = (
    "contract_id",
    "type",
    "date_issued",
    "date_expired",
    "issuer_id",
    "issuer_corporation_id",
    "for_corporation",
    "start_location_id",
    "end_location_id",
    "price",
    "buyout",
    "reward",
    "collateral",
    "volume",
    "days_to_complete",
    "title",
)

CREATE_LISTING = f"""
/* contracts.create_listing */
CREATE TEMPORARY TABLE IF NOT EXISTS listing ON COMMIT DELETE ROWS AS
SELECT {", ".join(LISTING_COLUMNS)} FROM contracts WITH NO DATA
"""  # noqa: S608 - our own column names

INDEX_LISTING = """
/* contracts.index_listing: without it a merge of 46,000 took 70 s while `contracts` had no statistics yet */
CREATE UNIQUE INDEX IF NOT EXISTS listing_contract_id ON listing (contract_id)
"""

LOCK_COVERAGE = """
/* contracts.lock_coverage: one merge per region at a time, and none of an older generation */
INSERT INTO coverage AS c (region_id, generation, fresh_until, swept_at)
VALUES ($1, 'epoch', 'epoch', now())
ON CONFLICT (region_id) DO UPDATE SET region_id = c.region_id
RETURNING generation, swept_at
"""

_JUDGED = """
  SELECT l.contract_id, c.delisted_at IS NOT NULL AS relisted,
         CASE WHEN l.type = 'auction' THEN greatest(c.date_expired, l.date_expired) ELSE l.date_expired END AS expires,
         (c.type, c.price, c.buyout, c.reward, c.collateral, c.volume, c.title, c.for_corporation)
           IS DISTINCT FROM
         (l.type, l.price, l.buyout, l.reward, l.collateral, l.volume, l.title, l.for_corporation)
           OR (l.type <> 'auction' AND l.date_expired <> c.date_expired) AS differs,
         l.type = 'auction' AND l.date_expired > c.date_expired
           + CASE WHEN c.date_expired < now() + interval '1 hour' THEN interval '1 minute' ELSE interval '1 hour' END
           AS drifted,
         c.missing_since IS NOT NULL AS found
    FROM listing l JOIN contracts c USING (contract_id)
"""
_TO_WRITE = "j.differs OR j.relisted OR j.drifted OR j.found"

DIFFERING = f"""
/* contracts.differing: only rows that differ are written. An auction's dates are coarse and drift with every generation
   (its true end is the latest seen), so they alone are no change, and are written only when they drifted far, or when
   the contract would else be taken for over. */
SELECT contract_id FROM ({_JUDGED}) j WHERE {_TO_WRITE}
"""  # noqa: S608 - our own conditions

HOLD = """
/* contracts.hold: all stored rows that a merge is going to write, before it writes the first. Everybody who locks
   several contracts does it by one statement in the order of their ids; a merge that held what changed and then locked
   what is gone would meet whoever stores items of both on the way, and one of the two would die of it. */
SELECT count(*) FROM (
  SELECT FROM contracts WHERE contract_id = ANY($1::bigint[]) ORDER BY contract_id FOR UPDATE) held
"""

CHANGE = f"""
/* contracts.change: judged anew, for whoever held the rows before may have written them */
WITH judged AS MATERIALIZED ({_JUDGED} WHERE contract_id = ANY($1::bigint[]))
UPDATE contracts c
   SET type = l.type, price = l.price, buyout = l.buyout, reward = l.reward, collateral = l.collateral,
       volume = l.volume, title = l.title, for_corporation = l.for_corporation, date_expired = j.expires,
       missing_since = NULL, delisted_at = NULL, outcome = NULL, outcome_due_at = NULL, outcome_attempts = 0,
       bids_due_at = CASE WHEN l.type <> 'auction' THEN NULL WHEN j.relisted THEN now() ELSE c.bids_due_at END
  FROM judged j JOIN listing l USING (contract_id)
 WHERE c.contract_id = j.contract_id AND ({_TO_WRITE})
RETURNING c.contract_id, j.relisted, j.differs, c.date_expired
"""  # noqa: S608 - our own conditions

NEW_WAYS = """
/* contracts.new_ways: what new courier contracts are carried from and to, as far as it is known */
SELECT DISTINCT a.system_id, b.system_id AS end_system_id
  FROM listing l JOIN stations a ON a.station_id = l.start_location_id
                 JOIN stations b ON b.station_id = l.end_location_id
 WHERE l.type = 'courier' AND NOT EXISTS (SELECT FROM contracts c WHERE c.contract_id = l.contract_id)
"""

ADD = f"""
/* contracts.add: $4 to $7 are ways, by their ends */
INSERT INTO contracts ({", ".join(LISTING_COLUMNS)}, region_id, items_state, items_run_id, items_sent_at, items_due_at,
                       bids_due_at, system_id, security, end_system_id, jumps, jumps_high_security)
SELECT {", ".join("l." + column for column in LISTING_COLUMNS)}, $1,
       CASE WHEN l.type IN ('item_exchange', 'auction') THEN 'wanted' ELSE 'none' END, $2, now(),
       CASE WHEN l.type IN ('item_exchange', 'auction') THEN now() + $3 END,
       CASE WHEN l.type = 'auction' THEN now() END, a.system_id, s.security, b.system_id, w.jumps, w.high_security
  FROM listing l
       LEFT JOIN stations a ON a.station_id = l.start_location_id
       LEFT JOIN systems s ON s.system_id = a.system_id
       LEFT JOIN stations b ON b.station_id = l.end_location_id
       LEFT JOIN unnest($4::bigint[], $5::bigint[], $6::smallint[], $7::smallint[])
         AS w (origin, destination, jumps, high_security)
         ON l.type = 'courier' AND w.origin = a.system_id AND w.destination = b.system_id
 WHERE NOT EXISTS (SELECT FROM contracts c WHERE c.contract_id = l.contract_id)
 ORDER BY l.contract_id
ON CONFLICT (contract_id) DO NOTHING
RETURNING contract_id, items_state
"""  # noqa: S608 - our own column names

AT_ONCE = """
/* contracts.at_once: whoever found them reads them now; if it dies, they are asked for soon */
UPDATE contracts SET items_due_at = now() + $2 WHERE contract_id = ANY($1::bigint[])
"""

ABSENT = """
/* contracts.absent: live ones that the whole list does not hold */
SELECT contract_id, missing_since FROM contracts c
 WHERE region_id = $1 AND delisted_at IS NULL
   AND NOT EXISTS (SELECT FROM listing l WHERE l.contract_id = c.contract_id)
"""

ANY_LIVE = """
/* contracts.any_live */
SELECT EXISTS (SELECT FROM contracts WHERE region_id = $1 AND delisted_at IS NULL)
"""

STILL_LIVE = """
/* contracts.still_live */
SELECT contract_id, missing_since FROM contracts WHERE contract_id = ANY($1::bigint[]) AND delisted_at IS NULL
"""

MISS = """
/* contracts.miss: absent for the first time, where it may only have slipped between two pages */
UPDATE contracts SET missing_since = $2 WHERE contract_id = ANY($1::bigint[])
"""

DELIST = """
/* contracts.delist: only ever run for a complete, consistent list. Items still wanted get their last chance at once. */
UPDATE contracts
   SET delisted_at = now(), missing_since = NULL, bids_due_at = NULL,
       items_due_at = CASE WHEN items_state = 'wanted' THEN now() ELSE items_due_at END,
       outcome = CASE WHEN type <> 'auction' AND date_expired <= $2 THEN 'expired' ELSE 'unknown' END,
       outcome_due_at = CASE WHEN type IN ('item_exchange', 'auction') THEN now() + $3 END
 WHERE contract_id = ANY($1::bigint[]) AND delisted_at IS NULL
RETURNING contract_id, outcome, outcome_due_at IS NOT NULL AS to_be_probed, items_state = 'wanted' AS items_wanted
"""

COVER = """
/* contracts.cover */
UPDATE coverage
   SET generation = $2, swept_at = clock_timestamp(), fresh_until = clock_timestamp() + $3,
       complete_generation = CASE WHEN $4 THEN $2 ELSE complete_generation END
 WHERE region_id = $1
RETURNING swept_at
"""

RECORD_SWEEP = """
/* contracts.record_sweep: a twin that comes second finds its run listed, and is undone */
INSERT INTO sweeps (run_id, region_id, generation, fresh_until, complete, pages,
                    fetched, listed, changed, unchanged, rejected, delisted)
VALUES ($1, $2, $3, clock_timestamp() + $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (run_id) DO NOTHING
"""

WANT_NAMES = """
/* names.want: remember whom we do not know yet; in one order for everybody */
INSERT INTO names (entity_id, due_at)
SELECT id, now() FROM (SELECT issuer_id FROM listing UNION SELECT issuer_corporation_id FROM listing) AS seen (id)
 ORDER BY id
ON CONFLICT DO NOTHING
"""

STILL_WANTED = """
/* items.still_wanted: locked in one order by everybody */
SELECT contract_id, region_id, items_run_id, items_attempts, now() - listed_at AS waiting,
       delisted_at IS NOT NULL OR date_expired <= now() AS gone, enrichment_version IS NOT NULL AS read_before
  FROM contracts WHERE contract_id = ANY($1::bigint[]) AND items_state = 'wanted'
 ORDER BY contract_id FOR UPDATE
"""

ITEM_COLUMNS = (
    "contract_id",
    "record_id",
    "type_id",
    "quantity",
    "is_included",
    "item_id",
    "is_blueprint_copy",
    "material_efficiency",
    "time_efficiency",
    "runs",
)

FORGET = """
/* items.forget: what is read again takes the place of what was read before, in one transaction */
DELETE FROM contract_items WHERE contract_id = ANY($1::bigint[])
"""

SUMMARISE = """
/* items.summarise: whatever was wanted has just been read */
UPDATE contracts c
   SET items_read_at = CASE WHEN c.items_state = 'wanted' THEN now() ELSE c.items_read_at END,
       items_state = 'stored', items_error = NULL, items_due_at = NULL, enrichment_version = $1,
       label = s.label, composition = s.composition, contains_ship = s.contains_ship,
       items_offered = s.items_offered, items_requested = s.items_requested, is_blueprint_copy = s.is_blueprint_copy,
       material_efficiency = s.material_efficiency, time_efficiency = s.time_efficiency, runs = s.runs,
       packaged_volume = s.packaged_volume, value_buy = s.value_buy, value_sell = s.value_sell,
       value_average = s.value_average, value_lines = s.value_lines, value_lines_priced = s.value_lines_priced,
       facets = s.facets::int[], offers_copy = s.offers_copy, offers_rolled = s.offers_rolled,
       most_runs = s.most_runs, most_material_efficiency = s.most_me, most_time_efficiency = s.most_te,
       units = s.units
  FROM unnest($2::bigint[], $3::text[], $4::text[], $5::boolean[], $6::int[], $7::int[], $8::boolean[], $9::smallint[],
              $10::smallint[], $11::int[], $12::float8[], $13::numeric[], $14::numeric[], $15::numeric[], $16::int[],
              $17::int[], $18::text[], $19::boolean[], $20::boolean[], $21::int[], $22::smallint[], $23::smallint[],
              $24::bigint[])
    AS s (contract_id, label, composition, contains_ship, items_offered, items_requested, is_blueprint_copy,
          material_efficiency, time_efficiency, runs, packaged_volume, value_buy, value_sell, value_average,
          value_lines, value_lines_priced, facets, offers_copy, offers_rolled, most_runs, most_me, most_te, units)
 WHERE c.contract_id = s.contract_id
"""

POSTPONE = """
/* items.postpone */
UPDATE contracts c
   SET items_state = p.state, items_attempts = p.attempts, items_error = p.error, items_due_at = now() + p.after
  FROM unnest($1::bigint[], $2::text[], $3::smallint[], $4::text[], $5::interval[])
    AS p (contract_id, state, attempts, error, after)
 WHERE c.contract_id = p.contract_id
"""
