-- Computes the five outputs of `flight-delays` a second time, in SQL, to check flight_delays.py.
--
-- Built otherwise on purpose: sliding windows are differences of running totals, sessions come from LAG,
-- ranks from ROW_NUMBER, and means are divided and rounded in whole numbers. What both agree on is
-- unlikely to be the mistake of one.
--
-- cross_check.py loads the tables `flights` and `weather_rows` (the files' columns, all text) and
-- `settings` (one row, durations in seconds). The outputs are the tables `hourly`, `carriers`,
-- `rotations`, `weather` and `top_routes`, with the columns of the files. Times before 1970 would be
-- rounded the wrong way; the data has none.

CREATE TABLE legs AS
SELECT
  CAST(strftime('%s', time_hour) AS INTEGER) + 60 * CAST(minute AS INTEGER) AS event_time,
  time_hour, carrier, origin, dest,
  NULLIF(NULLIF(tailnum, 'NA'), '') AS tailnum,
  CAST(distance AS INTEGER) AS distance,
  CAST(NULLIF(NULLIF(dep_delay, 'NA'), '') AS INTEGER) AS dep_delay,
  CAST(NULLIF(NULLIF(arr_delay, 'NA'), '') AS INTEGER) AS arr_delay
FROM flights;

-- Flights by origin and tumbling window.

CREATE TABLE hourly_totals AS
SELECT origin, event_time / hourly_window * hourly_window AS start,
  COUNT(*) AS flights, COUNT(dep_delay) AS known, SUM(dep_delay) AS total
FROM legs, settings
GROUP BY 1, 2;

-- Flights by carrier and sliding window: what came before a window's end less what came before its start.

CREATE TABLE carrier_starts AS
WITH RECURSIVE starts(start) AS (
  SELECT (MIN(event_time) - carriers_size) / carriers_slide * carriers_slide FROM legs, settings
  UNION ALL
  SELECT start + carriers_slide FROM starts, settings
  WHERE start + carriers_slide <= (SELECT MAX(event_time) FROM legs)
)
SELECT carrier, start FROM (SELECT DISTINCT carrier FROM legs), starts;

CREATE TABLE carrier_running AS
WITH edges AS (
  SELECT carrier, start AS at FROM carrier_starts
  UNION
  SELECT carrier, start + carriers_size FROM carrier_starts, settings
),
points AS (
  SELECT carrier, at, 0 AS is_flight, NULL AS arr_delay FROM edges
  UNION ALL
  SELECT carrier, event_time, 1, arr_delay FROM legs
),
running AS (
  -- An edge sorts before the flights of its own instant, so it counts the flights strictly before it.
  SELECT carrier, at, is_flight,
    SUM(is_flight) OVER before AS flights,
    COUNT(arr_delay) OVER before AS known,
    COALESCE(SUM(arr_delay) OVER before, 0) AS total
  FROM points
  WINDOW before AS (PARTITION BY carrier ORDER BY at, is_flight ROWS UNBOUNDED PRECEDING)
)
SELECT carrier, at, flights, known, total FROM running WHERE is_flight = 0;

CREATE UNIQUE INDEX carrier_running_at ON carrier_running (carrier, at);

CREATE TABLE carrier_totals AS
SELECT s.carrier, s.start,
  upper.flights - lower.flights AS flights,
  upper.known - lower.known AS known,
  upper.total - lower.total AS total
FROM settings, carrier_starts AS s
JOIN carrier_running AS lower ON lower.carrier = s.carrier AND lower.at = s.start
JOIN carrier_running AS upper ON upper.carrier = s.carrier AND upper.at = s.start + carriers_size
WHERE upper.flights > lower.flights;

-- Flights with the weather of their origin and hour, by visibility band.

CREATE TABLE weather_totals AS
SELECT legs.origin, event_time / weather_window * weather_window AS start,
  CASE WHEN CAST(visib AS REAL) > 5 THEN '5-10' WHEN CAST(visib AS REAL) > 2 THEN '2-5' ELSE '0-2' END AS band,
  COUNT(*) AS flights, COUNT(dep_delay) AS known, SUM(dep_delay) AS total
FROM settings, legs
JOIN weather_rows ON weather_rows.origin = legs.origin AND weather_rows.time_hour = legs.time_hour
WHERE visib NOT IN ('NA', '')
GROUP BY 1, 2, 3;

-- Every mean that occurs, as text: millionths in whole numbers, rounded half to even.

CREATE TABLE means AS
WITH quotients AS (
  SELECT known, total,
    ABS(total) * 1000000 / known AS whole, ABS(total) * 1000000 % known AS rest
  FROM (
    SELECT known, total FROM hourly_totals
    UNION SELECT known, total FROM carrier_totals
    UNION SELECT known, total FROM weather_totals
  )
  WHERE known > 0
),
millionths AS (
  SELECT known, total, whole + (2 * rest > known OR (2 * rest = known AND whole % 2 = 1)) AS size FROM quotients
)
SELECT known, total,
  printf('%s%d.%06d', CASE WHEN total < 0 THEN '-' ELSE '' END, size / 1000000, size % 1000000) AS text
FROM millionths;

CREATE UNIQUE INDEX means_of ON means (known, total);

-- The five outputs.

CREATE TABLE hourly AS
SELECT origin,
  strftime('%Y-%m-%dT%H:%M:%SZ', start, 'unixepoch') AS window_start,
  strftime('%Y-%m-%dT%H:%M:%SZ', start + hourly_window, 'unixepoch') AS window_end,
  flights, known AS departed, COALESCE(text, '') AS mean_dep_delay
FROM settings, hourly_totals LEFT JOIN means USING (known, total);

CREATE TABLE carriers AS
SELECT carrier,
  strftime('%Y-%m-%dT%H:%M:%SZ', start, 'unixepoch') AS window_start,
  strftime('%Y-%m-%dT%H:%M:%SZ', start + carriers_size, 'unixepoch') AS window_end,
  flights, COALESCE(text, '') AS mean_arr_delay
FROM settings, carrier_totals LEFT JOIN means USING (known, total);

CREATE TABLE rotations AS
WITH silences AS (
  SELECT tailnum, event_time, distance,
    event_time - LAG(event_time) OVER (PARTITION BY tailnum ORDER BY event_time) AS silence
  FROM legs
  WHERE tailnum IS NOT NULL
),
numbered AS (
  SELECT tailnum, event_time, distance,
    SUM(silence IS NULL OR silence >= gap) OVER (
      PARTITION BY tailnum ORDER BY event_time, silence IS NOT NULL AND silence < gap ROWS UNBOUNDED PRECEDING
    ) AS session
  FROM silences, settings
)
SELECT tailnum,
  strftime('%Y-%m-%dT%H:%M:%SZ', MIN(event_time), 'unixepoch') AS session_start,
  strftime('%Y-%m-%dT%H:%M:%SZ', MAX(event_time) + gap, 'unixepoch') AS session_end,
  COUNT(*) AS flights, SUM(distance) AS distance
FROM numbered, settings
GROUP BY tailnum, session;

CREATE TABLE weather AS
SELECT origin,
  strftime('%Y-%m-%dT%H:%M:%SZ', start, 'unixepoch') AS window_start,
  band AS visibility_band, flights, COALESCE(text, '') AS mean_dep_delay
FROM weather_totals LEFT JOIN means USING (known, total);

CREATE TABLE top_routes AS
WITH counted AS (
  SELECT origin, event_time / routes_window * routes_window AS start, dest, COUNT(*) AS flights
  FROM legs, settings
  GROUP BY 1, 2, 3
),
ranked AS (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY origin, start ORDER BY flights DESC, dest) AS rank FROM counted
)
SELECT origin, strftime('%Y-%m-%dT%H:%M:%SZ', start, 'unixepoch') AS window_start, rank, dest, flights
FROM ranked, settings
WHERE rank <= routes_top;
