"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('allocations',
    sa.Column('merchant', sa.Text(), nullable=False),
    sa.Column('shop', sa.Text(), server_default='', nullable=False),
    sa.Column('order_id', sa.Text(), nullable=False),
    sa.Column('product', sa.Text(), nullable=False),
    sa.Column('warehouse', sa.Text(), nullable=False),
    sa.Column('alloc', sa.Integer(), server_default='0', nullable=False),
    sa.CheckConstraint('alloc >= 0', name=op.f('ck_allocations_not_negative')),
    sa.PrimaryKeyConstraint('merchant', 'shop', 'order_id', 'product', 'warehouse', name=op.f('pk_allocations'))
    )
    op.create_table('changes',
    sa.Column('merchant', sa.Text(), nullable=False),
    sa.Column('revision', sa.BigInteger(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('at', sa.BigInteger(), server_default='0', nullable=False),
    sa.PrimaryKeyConstraint('merchant', 'revision', 'kind', 'name', name=op.f('pk_changes'))
    )
    op.create_table('demands',
    sa.Column('merchant', sa.Text(), nullable=False),
    sa.Column('shop', sa.Text(), server_default='', nullable=False),
    sa.Column('order_id', sa.Text(), nullable=False),
    sa.Column('product', sa.Text(), nullable=False),
    sa.Column('wanted', sa.Integer(), server_default='0', nullable=False),
    sa.Column('fulfilled', sa.Integer(), server_default='0', nullable=False),
    sa.Column('shipped', sa.Integer(), server_default='0', nullable=False),
    sa.Column('alloc', sa.Integer(), server_default='0', nullable=False),
    sa.PrimaryKeyConstraint('merchant', 'shop', 'order_id', 'product', name=op.f('pk_demands'))
    )
    with op.batch_alter_table('demands', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_demands_merchant_product'), ['merchant', 'product'], unique=False)

    op.create_table('link_parts',
    sa.Column('merchant', sa.Text(), nullable=False),
    sa.Column('shop', sa.Text(), nullable=False),
    sa.Column('listing', sa.Text(), nullable=False),
    sa.Column('product', sa.Text(), nullable=False),
    sa.Column('units', sa.Integer(), server_default='1', nullable=False),
    sa.CheckConstraint('units >= 1', name=op.f('ck_link_parts_at_least_one')),
    sa.PrimaryKeyConstraint('merchant', 'shop', 'listing', 'product', name=op.f('pk_link_parts'))
    )
    with op.batch_alter_table('link_parts', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_link_parts_merchant_product'), ['merchant', 'product'], unique=False)

    op.create_table('links',
    sa.Column('merchant', sa.Text(), nullable=False),
    sa.Column('shop', sa.Text(), nullable=False),
    sa.Column('listing', sa.Text(), nullable=False),
    sa.Column('sync_enabled', sa.Boolean(), nullable=False),
    sa.Column('expected', sa.Integer(), nullable=True),
    sa.Column('suspected', sa.Integer(), server_default='0', nullable=False),
    sa.Column('suspected_since', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('doubt', sa.Integer(), server_default='0', nullable=False),
    sa.Column('released', sa.Integer(), server_default='0', nullable=False),
    sa.Column('taken_over_at', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('must_read', sa.Boolean(), server_default=sa.true(), nullable=False),
    sa.Column('flight_key', sa.Text(), nullable=True),
    sa.Column('flight_quantity', sa.Integer(), nullable=True),
    sa.Column('flight_absolute', sa.Integer(), nullable=True),
    sa.Column('flight_at', sa.BigInteger(), nullable=True),
    sa.Column('due_at', sa.BigInteger(), nullable=True),
    sa.Column('touched', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('attempt', sa.Integer(), server_default='0', nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('target', sa.Integer(), nullable=True),
    sa.Column('confirmed', sa.Integer(), nullable=True),
    sa.Column('last_success_at', sa.BigInteger(), nullable=True),
    sa.Column('last_attempt_at', sa.BigInteger(), nullable=True),
    sa.Column('problem', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('created_at', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('updated_at', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('revision', sa.BigInteger(), server_default='0', nullable=False),
    sa.PrimaryKeyConstraint('merchant', 'shop', 'listing', name=op.f('pk_links'))
    )
    with op.batch_alter_table('links', schema=None) as batch_op:
        batch_op.create_index('ix_links_due', ['merchant', 'shop', 'due_at'], unique=False, postgresql_where=sa.text('due_at IS NOT NULL'), sqlite_where=sa.text('due_at IS NOT NULL'))

    op.create_table('listings',
    sa.Column('merchant', sa.Text(), nullable=False),
    sa.Column('shop', sa.Text(), nullable=False),
    sa.Column('listing', sa.Text(), nullable=False),
    sa.Column('external_id', sa.Text(), nullable=False),
    sa.Column('data', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('sku', sa.Text(), server_default='', nullable=False),
    sa.Column('barcode', sa.Text(), server_default='', nullable=False),
    sa.Column('title', sa.Text(), server_default='', nullable=False),
    sa.Column('group_id', sa.Text(), server_default='', nullable=False),
    sa.Column('quantity', sa.Integer(), nullable=True),
    sa.Column('warnings', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('vanished', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('seen_at', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('created_at', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('updated_at', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('revision', sa.BigInteger(), server_default='0', nullable=False),
    sa.PrimaryKeyConstraint('merchant', 'shop', 'listing', name=op.f('pk_listings'))
    )
    with op.batch_alter_table('listings', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_listings_merchant_shop_sku'), ['merchant', 'shop', 'sku'], unique=False)

    op.create_table('merchants',
    sa.Column('merchant', sa.Text(), nullable=False),
    sa.Column('display_name', sa.Text(), server_default='', nullable=False),
    sa.Column('sync_available', sa.Boolean(), server_default=sa.true(), nullable=False),
    sa.Column('head', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('compacted', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('last_movement', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('created_at', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('updated_at', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('revision', sa.BigInteger(), server_default='0', nullable=False),
    sa.PrimaryKeyConstraint('merchant', name=op.f('pk_merchants'))
    )
    op.create_table('movements',
    sa.Column('merchant', sa.Text(), nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=False),
    sa.Column('product', sa.Text(), nullable=False),
    sa.Column('warehouse', sa.Text(), server_default='', nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('physical', sa.Integer(), server_default='0', nullable=False),
    sa.Column('allocated', sa.Integer(), server_default='0', nullable=False),
    sa.Column('ordered', sa.Integer(), server_default='0', nullable=False),
    sa.Column('unallocated', sa.Integer(), server_default='0', nullable=False),
    sa.Column('shop', sa.Text(), server_default='', nullable=False),
    sa.Column('order_id', sa.Text(), server_default='', nullable=False),
    sa.Column('cause', sa.Text(), nullable=False),
    sa.Column('note', sa.Text(), server_default='', nullable=False),
    sa.Column('occurred_at', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('recorded_at', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('revision', sa.BigInteger(), server_default='0', nullable=False),
    sa.PrimaryKeyConstraint('merchant', 'seq', name=op.f('pk_movements')),
    sa.UniqueConstraint('merchant', 'cause', name=op.f('uq_movements_merchant_cause'))
    )
    with op.batch_alter_table('movements', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_movements_merchant_product_seq'), ['merchant', 'product', 'seq'], unique=False)

    op.create_table('operations',
    sa.Column('merchant', sa.Text(), nullable=False),
    sa.Column('operation', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('shop', sa.Text(), server_default='', nullable=False),
    sa.Column('arguments', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('done', sa.Integer(), server_default='0', nullable=False),
    sa.Column('total', sa.Integer(), server_default='0', nullable=False),
    sa.Column('result', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('problem', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('cancel_asked', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('owner', sa.Text(), nullable=True),
    sa.Column('lease_until', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('started_at', sa.BigInteger(), nullable=True),
    sa.Column('ended_at', sa.BigInteger(), nullable=True),
    sa.Column('revision', sa.BigInteger(), server_default='0', nullable=False),
    sa.PrimaryKeyConstraint('merchant', 'operation', name=op.f('pk_operations'))
    )
    with op.batch_alter_table('operations', schema=None) as batch_op:
        batch_op.create_index('ix_operations_open', ['state'], unique=False, postgresql_where=sa.text('ended_at IS NULL'), sqlite_where=sa.text('ended_at IS NULL'))

    op.create_table('order_lines',
    sa.Column('merchant', sa.Text(), nullable=False),
    sa.Column('shop', sa.Text(), nullable=False),
    sa.Column('order_id', sa.Text(), nullable=False),
    sa.Column('line', sa.Text(), nullable=False),
    sa.Column('listing', sa.Text(), server_default='', nullable=False),
    sa.Column('sku', sa.Text(), server_default='', nullable=False),
    sa.Column('title', sa.Text(), server_default='', nullable=False),
    sa.Column('ordered', sa.Integer(), server_default='0', nullable=False),
    sa.Column('cancelled', sa.Integer(), server_default='0', nullable=False),
    sa.Column('fulfilled', sa.Integer(), server_default='0', nullable=False),
    sa.Column('parts', sa.JSON(none_as_null=True), nullable=True),
    sa.PrimaryKeyConstraint('merchant', 'shop', 'order_id', 'line', name=op.f('pk_order_lines'))
    )
    with op.batch_alter_table('order_lines', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_order_lines_merchant_shop_listing'), ['merchant', 'shop', 'listing'], unique=False)

    op.create_table('orders',
    sa.Column('merchant', sa.Text(), nullable=False),
    sa.Column('shop', sa.Text(), nullable=False),
    sa.Column('order_id', sa.Text(), nullable=False),
    sa.Column('number', sa.Text(), server_default='', nullable=False),
    sa.Column('version', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('read_at', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('state_known', sa.Boolean(), server_default=sa.true(), nullable=False),
    sa.Column('platform_state', sa.Text(), server_default='', nullable=False),
    sa.Column('archived', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('paid', sa.Boolean(), nullable=True),
    sa.Column('placed_at', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('vanished_at', sa.BigInteger(), nullable=True),
    sa.Column('applied', sa.Integer(), server_default='0', nullable=False),
    sa.Column('holds', sa.Integer(), server_default='0', nullable=False),
    sa.Column('uncounted', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('updated_at', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('revision', sa.BigInteger(), server_default='0', nullable=False),
    sa.PrimaryKeyConstraint('merchant', 'shop', 'order_id', name=op.f('pk_orders'))
    )
    with op.batch_alter_table('orders', schema=None) as batch_op:
        batch_op.create_index('ix_orders_holding', ['merchant', 'shop', 'order_id'], unique=False, postgresql_where=sa.text('holds > 0'), sqlite_where=sa.text('holds > 0'))

    op.create_table('products',
    sa.Column('merchant', sa.Text(), nullable=False),
    sa.Column('product', sa.Text(), nullable=False),
    sa.Column('code', sa.Text(), nullable=False),
    sa.Column('barcode', sa.Text(), server_default='', nullable=False),
    sa.Column('display_name', sa.Text(), server_default='', nullable=False),
    sa.Column('archived', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('updated_at', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('revision', sa.BigInteger(), server_default='0', nullable=False),
    sa.PrimaryKeyConstraint('merchant', 'product', name=op.f('pk_products')),
    sa.UniqueConstraint('merchant', 'code', name=op.f('uq_products_merchant_code'))
    )
    with op.batch_alter_table('products', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_products_merchant_barcode'), ['merchant', 'barcode'], unique=False)

    op.create_table('requests',
    sa.Column('merchant', sa.Text(), nullable=False),
    sa.Column('principal', sa.Text(), nullable=False),
    sa.Column('method', sa.Text(), nullable=False),
    sa.Column('request_id', sa.Text(), nullable=False),
    sa.Column('digest', sa.LargeBinary(), nullable=False),
    sa.Column('response', sa.LargeBinary(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('revision', sa.BigInteger(), server_default='0', nullable=False),
    sa.PrimaryKeyConstraint('merchant', 'principal', 'method', 'request_id', name=op.f('pk_requests'))
    )
    with op.batch_alter_table('requests', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_requests_merchant_created_at'), ['merchant', 'created_at'], unique=False)

    op.create_table('runs',
    sa.Column('merchant', sa.Text(), nullable=False),
    sa.Column('shop', sa.Text(), nullable=False),
    sa.Column('run', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('trigger', sa.Text(), nullable=False),
    sa.Column('token', sa.BigInteger(), nullable=False),
    sa.Column('started_at', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('started_revision', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('ended_at', sa.BigInteger(), nullable=True),
    sa.Column('counts', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('problem', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('revision', sa.BigInteger(), server_default='0', nullable=False),
    sa.PrimaryKeyConstraint('merchant', 'shop', 'run', name=op.f('pk_runs'))
    )
    op.create_table('shops',
    sa.Column('merchant', sa.Text(), nullable=False),
    sa.Column('shop', sa.Text(), nullable=False),
    sa.Column('connector', sa.Text(), nullable=False),
    sa.Column('display_name', sa.Text(), server_default='', nullable=False),
    sa.Column('settings', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('secrets', sa.LargeBinary(), nullable=True),
    sa.Column('paused', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('deleted', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('interval', sa.BigInteger(), nullable=False),
    sa.Column('order_cursor', sa.Text(), nullable=True),
    sa.Column('orders_complete_until', sa.BigInteger(), nullable=True),
    sa.Column('reread_at', sa.BigInteger(), nullable=True),
    sa.Column('problem', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('last_run', sa.Text(), server_default='', nullable=False),
    sa.Column('last_run_at', sa.BigInteger(), nullable=True),
    sa.Column('last_success_at', sa.BigInteger(), nullable=True),
    sa.Column('status_revision', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('due_at', sa.BigInteger(), nullable=True),
    sa.Column('wanted', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('taken', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('owner', sa.Text(), nullable=True),
    sa.Column('lease_until', sa.BigInteger(), nullable=True),
    sa.Column('fence', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('attempt', sa.Integer(), server_default='0', nullable=False),
    sa.Column('created_at', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('updated_at', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('revision', sa.BigInteger(), server_default='0', nullable=False),
    sa.PrimaryKeyConstraint('merchant', 'shop', name=op.f('pk_shops'))
    )
    with op.batch_alter_table('shops', schema=None) as batch_op:
        batch_op.create_index('ix_shops_due', ['due_at'], unique=False, postgresql_where=sa.text('due_at IS NOT NULL'), sqlite_where=sa.text('due_at IS NOT NULL'))

    op.create_table('stock',
    sa.Column('merchant', sa.Text(), nullable=False),
    sa.Column('product', sa.Text(), nullable=False),
    sa.Column('physical', sa.Integer(), server_default='0', nullable=False),
    sa.Column('allocated', sa.Integer(), server_default='0', nullable=False),
    sa.Column('ordered', sa.Integer(), server_default='0', nullable=False),
    sa.Column('unallocated', sa.Integer(), server_default='0', nullable=False),
    sa.Column('reserve', sa.Integer(), server_default='0', nullable=False),
    sa.Column('updated_at', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('revision', sa.BigInteger(), server_default='0', nullable=False),
    sa.CheckConstraint('ordered = allocated + unallocated', name=op.f('ck_stock_both_forms_of_free_agree')),
    sa.CheckConstraint('physical >= 0 AND allocated >= 0 AND unallocated >= 0 AND reserve >= 0', name=op.f('ck_stock_not_negative')),
    sa.PrimaryKeyConstraint('merchant', 'product', name=op.f('pk_stock'))
    )
    op.create_table('system',
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('value', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_system'))
    )
    op.create_table('warehouse_stock',
    sa.Column('merchant', sa.Text(), nullable=False),
    sa.Column('product', sa.Text(), nullable=False),
    sa.Column('warehouse', sa.Text(), nullable=False),
    sa.Column('physical', sa.Integer(), server_default='0', nullable=False),
    sa.Column('allocated', sa.Integer(), server_default='0', nullable=False),
    sa.CheckConstraint('physical >= 0 AND allocated >= 0', name=op.f('ck_warehouse_stock_not_negative')),
    sa.PrimaryKeyConstraint('merchant', 'product', 'warehouse', name=op.f('pk_warehouse_stock'))
    )
    op.create_table('warehouses',
    sa.Column('merchant', sa.Text(), nullable=False),
    sa.Column('warehouse', sa.Text(), nullable=False),
    sa.Column('display_name', sa.Text(), server_default='', nullable=False),
    sa.Column('created_at', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('updated_at', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('revision', sa.BigInteger(), server_default='0', nullable=False),
    sa.PrimaryKeyConstraint('merchant', 'warehouse', name=op.f('pk_warehouses'))
    )


def downgrade() -> None:
    op.drop_table('warehouses')
    op.drop_table('warehouse_stock')
    op.drop_table('system')
    op.drop_table('stock')
    with op.batch_alter_table('shops', schema=None) as batch_op:
        batch_op.drop_index('ix_shops_due', postgresql_where=sa.text('due_at IS NOT NULL'), sqlite_where=sa.text('due_at IS NOT NULL'))

    op.drop_table('shops')
    op.drop_table('runs')
    with op.batch_alter_table('requests', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_requests_merchant_created_at'))

    op.drop_table('requests')
    with op.batch_alter_table('products', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_products_merchant_barcode'))

    op.drop_table('products')
    with op.batch_alter_table('orders', schema=None) as batch_op:
        batch_op.drop_index('ix_orders_holding', postgresql_where=sa.text('holds > 0'), sqlite_where=sa.text('holds > 0'))

    op.drop_table('orders')
    with op.batch_alter_table('order_lines', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_order_lines_merchant_shop_listing'))

    op.drop_table('order_lines')
    with op.batch_alter_table('operations', schema=None) as batch_op:
        batch_op.drop_index('ix_operations_open', postgresql_where=sa.text('ended_at IS NULL'), sqlite_where=sa.text('ended_at IS NULL'))

    op.drop_table('operations')
    with op.batch_alter_table('movements', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_movements_merchant_product_seq'))

    op.drop_table('movements')
    op.drop_table('merchants')
    with op.batch_alter_table('listings', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_listings_merchant_shop_sku'))

    op.drop_table('listings')
    with op.batch_alter_table('links', schema=None) as batch_op:
        batch_op.drop_index('ix_links_due', postgresql_where=sa.text('due_at IS NOT NULL'), sqlite_where=sa.text('due_at IS NOT NULL'))

    op.drop_table('links')
    with op.batch_alter_table('link_parts', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_link_parts_merchant_product'))

    op.drop_table('link_parts')
    with op.batch_alter_table('demands', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_demands_merchant_product'))

    op.drop_table('demands')
    op.drop_table('changes')
    op.drop_table('allocations')
