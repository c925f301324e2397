"""What ESI refuses for the sake of others: errors in a window, tokens in a bucket, the daily downtime."""
