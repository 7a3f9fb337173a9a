-- A completed run of the prompt version $1 on a new dataset of $2 items, with two models.
WITH place AS (
    SELECT version.id AS version_id, use_case.id AS use_case_id, use_case.project_id
    FROM playground.prompt_versions AS version
    JOIN playground.prompts AS prompt ON prompt.id = version.prompt_id
    JOIN playground.use_cases AS use_case ON use_case.id = prompt.use_case_id
    WHERE version.id = $1
), dataset AS (
    INSERT INTO playground.datasets (id, use_case_id, name)
    SELECT gen_random_uuid(), use_case_id, 'Large' FROM place
    RETURNING id
), item AS (
    INSERT INTO playground.dataset_items (id, dataset_id, input)
    SELECT CAST(lpad(to_hex(number), 32, '0') AS uuid), dataset.id,
        jsonb_build_object('word', 'w' || number, 'message', 'message number ' || number)
    FROM dataset, generate_series(1, CAST($2 AS int)) AS number
    RETURNING id
), run AS (
    INSERT INTO playground.eval_runs (
        id, project_id, prompt_version_id, dataset_id, dataset_version, models, status,
        total, completed, passed, failed, errors, cost, shards_left, completed_at
    )
    SELECT gen_random_uuid(), place.project_id, place.version_id, dataset.id, 0,
        '[{"model": "bench/a"}, {"model": "bench/b"}]', 'completed',
        2 * $2, 2 * $2, 0, 0, 0, 0, 0, now()
    FROM place, dataset
    RETURNING id
), cell AS (
    SELECT item.id AS item_id, model.id AS model_id, random() AS luck
    FROM (SELECT id FROM item ORDER BY id OFFSET 0) AS item, (VALUES ('bench/a'), ('bench/b')) AS model (id)
    OFFSET 0
), stored AS (
    INSERT INTO playground.eval_results (
        id, eval_run_id, dataset_item_id, model_id, repetition, model_config, request, output,
        grading, metrics, passed, score, latency_ms, cost, failed_assertions, error
    )
    SELECT gen_random_uuid(), run.id, item_id, model_id, 0, jsonb_build_object('model', model_id),
        jsonb_build_object('messages', jsonb_build_array(jsonb_build_object(
            'role', 'user',
            'content', repeat('Find out what the customer wants. ', 8) || item_id
        ))),
        CASE WHEN luck >= 0.01 THEN
            (ARRAY['refund', 'delivery', 'other'])[1 + CAST(1000 * luck AS int) % 3]
            || CASE WHEN luck < 0.011 THEN ', needle. ' ELSE '. ' END
            || repeat('For this is what the customer says. ', 8)
        END,
        CASE WHEN luck >= 0.01 THEN jsonb_build_object(
            'passed', luck > 0.2, 'score', least(1, 5 * luck), 'reason', 'As the assertions say.',
            'metrics', jsonb_build_object('accuracy', CAST(luck > 0.2 AS int)),
            'assertions', jsonb_build_array(
                jsonb_build_object('type', 'contains', 'passed', luck > 0.2, 'weight', 1,
                    'score', CAST(luck > 0.2 AS int), 'reason', 'The output contains it, or not.',
                    'metric', 'accuracy'),
                jsonb_build_object('type', 'is-json', 'passed', luck > 0.1, 'weight', 1,
                    'score', CAST(luck > 0.1 AS int), 'reason', 'The output is JSON, or not.')
            )
        ) END,
        jsonb_build_object('latency_ms', 100 + 1000 * luck, 'tokens_in', 80, 'tokens_out', 70,
            'cost', luck / 1000, 'attempts', 1, 'cached', false),
        luck > 0.2, CASE WHEN luck < 0.01 THEN 0 ELSE least(1, 5 * luck) END,
        CASE WHEN luck >= 0.01 THEN 100 + 1000 * luck END, luck / 1000,
        CASE
            WHEN luck > 0.2 OR luck < 0.01 THEN '{}'
            WHEN luck > 0.1 THEN '{accuracy}'
            ELSE CAST('{accuracy,is-json}' AS text[])
        END,
        CASE WHEN luck < 0.01 THEN 'timeout: no answer within 120 s' END
    FROM cell, run
    RETURNING eval_run_id, dataset_item_id
)
SELECT eval_run_id, dataset_item_id FROM stored LIMIT 1
