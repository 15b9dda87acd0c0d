-- name: orders
SELECT about, order_id FROM internet_hospital_checkout WHERE about = ANY($1::text[]) AND order_id IS NOT NULL ORDER BY opened
